"""Write ``docs/modules.md``: every module with the first line of its docstring. ``--check`` fails if it is old."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "modules.md"
PACKAGES = ("chroniker", "chroniker_celery")
HEAD = """# All modules

Made from the docstrings by `python .ci/module_map.py`. Migrations and management commands are left out; the
[reference](reference/commands.md) has the commands.
"""


def summary(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first_paragraph = docstring.split("\n\n")[0]
    return " ".join(first_paragraph.split()).replace("|", "\\|").replace("``", "`")


def folders() -> list[Path]:
    found = [init.parent for package in PACKAGES for init in sorted((ROOT / package).rglob("__init__.py"))]
    return [folder for folder in found if folder.name not in ("migrations", "commands", "templatetags")]


def page() -> str:
    parts = [HEAD]
    for folder in folders():
        name = folder.relative_to(ROOT).as_posix()
        parts.append(f"\n## {name}/\n\n{summary(folder / '__init__.py')}\n")
        modules = [each for each in sorted(folder.glob("*.py")) if each.name != "__init__.py"]
        if modules:
            parts.append("\n| module | |\n|---|---|\n")
            parts += [f"| `{each.stem}` | {summary(each)} |\n" for each in modules]
    return "".join(parts)


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page():
            return 0
        print("docs/modules.md is old: run python .ci/module_map.py")
        return 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
