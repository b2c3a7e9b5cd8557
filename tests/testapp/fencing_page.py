"""The examples of docs/how-to/fencing.md, unchanged."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from chroniker.exceptions import LeaseLost
from tests.testapp.models import Account, Report

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "fencing.md"
DONE, REFUSED = "done", "refused"


def code_of(section: str) -> str:
    """All Python of the section with this anchor."""
    text = PAGE.read_text().partition(f"{{ #{section} }}")[2].partition("\n## ")[0]
    return "\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def names_of(section: str) -> dict[str, Any]:
    """The names that this Python defines; its models are in this app."""
    names: dict[str, Any] = {"Account": Account, "Report": Report}
    exec(compile(code_of(section), PAGE, "exec"), names)
    return names


def outcome(effect: Callable[[], object]) -> str:
    try:
        effect()
    except LeaseLost:
        return REFUSED
    except HTTPError as error:
        if error.code != 409:
            raise
        return REFUSED
    return DONE


def effects(directory: Path, url: str) -> dict[str, str]:
    """Execute each example and print its result."""
    return {
        "database": outcome(lambda: names_of("database")),
        "file": outcome(lambda: names_of("file")["replace"](directory / "report", "a report")),
        "service": outcome(lambda: names_of("service")["put"](url, "a report")),
    }
