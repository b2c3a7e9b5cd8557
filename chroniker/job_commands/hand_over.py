"""Commands that hand work over and end at once: the result of such a run is not that of the work."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from django.utils.translation import gettext as _

#: Whether a command with these words hands its work over.
Predicate = Callable[[Sequence[str]], bool]

_predicates: dict[str, Predicate] = {}


def register(command: str, predicate: Predicate) -> None:
    """Register a command that may hand its work over. Call it in ``AppConfig.ready``."""
    _predicates[command] = predicate


def hands_work_over(command: str, args: str) -> bool:
    """Whether a job or run of this command, with this line of arguments, hands its work over."""
    predicate = _predicates.get(command)
    if predicate is None:
        return False
    try:
        return predicate(shlex.split(args))
    except ValueError:  # an open quotation mark: the command does not start either
        return False


def hand_over_note(command: str, args: str) -> str:
    """The note that pages and commands show about a handed-over run; empty for all other jobs."""
    return _("handed over, not tracked") if hands_work_over(command, args) else ""
