"""Draws the diagrams of the documentation: ``python .ci/diagrams.py mermaid.min.js`` writes ``docs/diagrams/*.svg``.

The pictures are kept beside their sources, so that neither a build nor a reader needs Mermaid. Its file is in the npm
package "mermaid" (``npm pack mermaid``). ``--check``: exit status 1 if a picture does not belong to its source.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "diagrams"
#: Mermaid's name of the colours.
THEMES = {"light": "default", "dark": "dark"}
DRAW = """async ([source, theme, name]) => {
    mermaid.initialize({startOnLoad: false, theme, htmlLabels: false,
        flowchart: {htmlLabels: false, wrappingWidth: 500},
        fontFamily: "sans-serif", deterministicIds: true, deterministicIDSeed: name});
    return (await mermaid.render(name, source)).svg;
}"""


def pictures() -> list[tuple[Path, str, Path]]:
    """Source, colours and picture."""
    return [
        (source, name, source.with_name(f"{source.stem}-{name}.svg"))
        for source in sorted(FOLDER.glob("*.mmd"))
        for name in THEMES
    ]


def mark(source: Path) -> str:
    return f"<!-- of the source {hashlib.sha256(source.read_bytes()).hexdigest()} -->\n"


def outdated() -> list[str]:
    """The pictures that do not belong to their source, and those without one."""
    known = {picture: mark(source) for source, _name, picture in pictures()}
    wrong = [path for path, line in known.items() if not path.exists() or not path.read_text().endswith(line)]
    return [path.name for path in [*wrong, *(path for path in FOLDER.glob("*.svg") if path not in known)]]


def draw(mermaid: Path) -> None:
    sys.path.insert(0, str(ROOT))
    from playwright.sync_api import sync_playwright

    from tests.browser import chromium

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.path(), args=chromium.FLAGS)
        page = browser.new_page()
        page.add_script_tag(path=str(mermaid))
        for source, name, picture in pictures():
            svg = page.evaluate(DRAW, [source.read_text(), THEMES[name], f"{source.stem}-{name}"])
            svg = re.sub(r' data-(points|id|et|look)="[^"]*"', "", svg)
            svg = re.sub(r"\d+\.\d{2,}", lambda number: f"{float(number[0]):.1f}", svg)
            picture.write_text(f"{svg}\n{mark(source)}")
        browser.close()


if __name__ == "__main__":
    if sys.argv[1:] != ["--check"]:
        draw(Path(sys.argv[1]))
    elif wrong := outdated():
        raise SystemExit(f"run .ci/diagrams.py again: {', '.join(wrong)}")
