"""The code blocks of the README and of the documentation."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support import ROOT

_BLOCK = re.compile(
    r"(?:^[ ]*<!-- not tested: (?P<excuse>[^\n]+) -->\n\n?)?"
    r"^(?P<indent>[ ]*)```(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_SNIPPET = re.compile(r'^--8<-- "([^":]+)"$', re.MULTILINE)
#: Pages that are made from other files, or tested word for word.
_GENERATED = ("docs/modules.md", "docs/changelog.md")


@dataclass(frozen=True, slots=True)
class Block:
    page: str
    line: int
    language: str  #: "sh" where none is named
    body: str  #: with the contents of included files
    excuse: str  #: why it is not tested; empty: it is

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """README, CONTRIBUTING and so on, and all pages of the site."""
    found = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
    return [path for path in found if path.relative_to(ROOT).as_posix() not in _GENERATED]


def blocks() -> Iterator[Block]:
    for path in pages():
        text = path.read_text()
        for match in _BLOCK.finditer(text):
            language = match["info"].split()[0] if match["info"].strip() else "sh"
            line = text.count("\n", 0, match.start("info")) + 1
            body = textwrap.dedent(match["body"])
            body = _SNIPPET.sub(lambda found: (ROOT / found[1]).read_text(), body)
            yield Block(path.relative_to(ROOT).as_posix(), line, language, body, match["excuse"] or "")
