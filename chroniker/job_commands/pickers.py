"""Commands that run one of many named things, such as Celery tasks. Apps register a picker for such a command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that the command can run."""

    name: str
    signature: str
    help: str  #: the first line of its docstring


@dataclass(frozen=True, slots=True)
class Call:
    """The words of a command line, taken apart: ``NAME --args JSON --kwargs JSON``."""

    name: str
    args: str
    kwargs: str
    others: Sequence[str]  #: words that are kept as they are


@dataclass(frozen=True, slots=True)
class Picker:
    """How the form of a job picks what the command runs. Without it the form shows command and arguments."""

    command: str
    label: Any  #: translated late
    options_help: Any  #: about the other options of the command; translated late
    offers: Callable[[], list[Offer]]
    #: ``None``: the words are not of this form.
    read: Callable[[Sequence[str]], Call | None]


_pickers: dict[str, Picker] = {}


def register(picker: Picker) -> None:
    """Called in ``AppConfig.ready``."""
    _pickers[picker.command] = picker


def pickers() -> list[Picker]:
    return [*_pickers.values()]


def offers(command: str) -> list[Offer]:
    """What this command can run. Empty for a command without a picker. Imports the project's code."""
    return _pickers[command].offers() if command in _pickers else []
