"""Commands that run one of many named things, such as Celery tasks. Apps register a picker for such a command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PickerChoice:
    """One thing that the command can run."""

    name: str
    signature: str
    help: str  #: the first line of its docstring


@dataclass(frozen=True, slots=True)
class ParsedCall:
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
    list_choices: Callable[[], list[PickerChoice]]
    #: ``None``: the words are not of this form.
    parse_words: Callable[[Sequence[str]], ParsedCall | None]


_pickers: dict[str, Picker] = {}


def register(picker: Picker) -> None:
    """Register the picker of a command. Call it in ``AppConfig.ready``."""
    _pickers[picker.command] = picker


def pickers() -> list[Picker]:
    return [*_pickers.values()]


def choices_of_command(command: str) -> list[PickerChoice]:
    """What this command can run. Empty for a command without a picker. Imports the project's code."""
    return _pickers[command].list_choices() if command in _pickers else []
