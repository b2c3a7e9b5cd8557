"""Run pip-audit on the installed packages. If the advisories cannot be reached, print that; it is no failure.

One package is queried first, so that the others are not queried if the database of advisories cannot be reached.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

#: Everybody's index has it, and its advisories.
PROBE = "Django"


def audit(*options: str) -> tuple[list[dict[str, Any]], str]:
    """What pip-audit knows of each package, and what it said. Nothing: it could not ask."""
    words = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", *options]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return [], done.stderr
    return [each for each in found if "skip_reason" not in each], done.stderr


def probe() -> tuple[bool, str]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "requirements.txt"
        path.write_text(f"{PROBE}=={version(PROBE)}\n")
        answered, said = audit("--requirement", str(path), "--no-deps", "--disable-pip")
    return bool(answered), said


def main() -> int:
    reachable, said = probe()
    if not reachable:
        print(
            "NOT AUDITED: no vulnerability database can be reached from here, so what is installed was not looked at."
        )
        print(f"It was asked about {PROBE}. {said.strip().splitlines()[-1] if 'rror' in said else ''}".strip())
        return 0
    answered, said = audit("--skip-editable")
    if not answered:
        print(f"pip-audit gave no answer:\n{said}", file=sys.stderr)
        return 1
    bad = [(each, one) for each in answered for one in each["vulns"]]
    for each, one in bad:
        fixed = ", ".join(one["fix_versions"]) or "no version yet"
        print(f"{each['name']} {each['version']}: {one['id']}, fixed in {fixed}")
    print(f"{len(answered)} packages checked, {len(bad)} known vulnerabilities in them.")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
