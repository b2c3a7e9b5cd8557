"""Commands that hand work over and end at once: the result of such a run is not that of the work."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from django.utils.translation import gettext as _

#: Whether a command with these words hands its work over.
HandOverPredicate = Callable[[Sequence[str]], bool]

_hand_over_predicates: dict[str, HandOverPredicate] = {}


def register(command: str, predicate: HandOverPredicate) -> None:
    """Register a command that may hand its work over. Call it in ``AppConfig.ready``."""
    _hand_over_predicates[command] = predicate


def is_work_handed_over(command: str, args: str) -> bool:
    """Whether a job or run of this command, with this line of arguments, hands its work over."""
    predicate = _hand_over_predicates.get(command)
    if predicate is None:
        return False
    try:
        return predicate(shlex.split(args))
    except ValueError:  # an open quotation mark: the command does not start either
        return False


def hand_over_note(command: str, args: str) -> str:
    """The note that pages and commands show about a handed-over run; empty for all other jobs."""
    return _("work handed over, its result is not tracked") if is_work_handed_over(command, args) else ""
