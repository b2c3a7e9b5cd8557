"""Write ``docs/modules.md``: every module with the first paragraph of its docstring, every command with the first
sentence of its help. ``--check`` fails if the page is old."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "modules.md"
PACKAGES = ("chroniker", "chroniker_celery")
HEAD = """# All modules

Made from the docstrings, and from the help of management commands, by `python .ci/module_map.py`. Migrations are left
out.
"""


def summary(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    text = command_help(tree) or (ast.get_docstring(tree) or "").split("\n\n")[0]
    return " ".join(text.split()).replace("|", "\\|").replace("``", "`")


def command_help(tree: ast.Module) -> str:
    """The first sentence of the help of a management command. Empty for any other module."""
    commands = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Command"]
    for node in (each for command in commands for each in command.body):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "help":
            return re.split(r"(?<=\.)\s", ast.literal_eval(node.value))[0]
    return ""


def folders() -> list[Path]:
    found = [init.parent for package in PACKAGES for init in sorted((ROOT / package).rglob("__init__.py"))]
    return [folder for folder in found if folder.name not in ("migrations", "templatetags")]


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
