"""Check a commit's subject: ``area: verb …``, at most 72 characters. Git gives the file of the message."""

from __future__ import annotations

import re
import sys
from pathlib import Path

LONGEST = 72
SUBJECT = re.compile(r"[a-z][a-z0-9_/,. -]*: [a-z]\S* \S.*[^.]")


def problem(subject: str) -> str:
    if subject.startswith(("Merge ", "Revert ", "fixup! ", "squash! ")):
        return ""
    if len(subject) > LONGEST:
        return f"it has {len(subject)} characters; the limit is {LONGEST}"
    if not SUBJECT.fullmatch(subject):
        return "write it as: area: verb what, for example: scheduler: claim each batch in one transaction"
    return ""


def main(path: str) -> int:
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    if found := problem(lines[0] if lines else ""):
        print(f"The commit's subject is not right: {found}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
