"""Why a run ended as it did, in the words that its row keeps: in the language of the worker's project."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from django.utils.translation import gettext as _


def gettext_noop(text: str) -> str:
    """Marks a text as one to translate. Django's own asks for settings, and there may be none yet."""
    return text


#: Why a tree is killed at once.
LATE = gettext_noop("its lease could not be renewed in time")
UNKNOWN_LEASE = gettext_noop("the database no longer knows its lease")

#: What was wrong with a keeper that is replaced.
DIED = gettext_noop("its keeper died, and all it guarded was killed")
SILENT = gettext_noop("its keeper stopped answering, and all it guarded was killed")
TOO_SLOW = gettext_noop("its keeper did not kill its tree in time, and all it guarded was killed")


def said(why: str) -> str:
    """One of the texts above, translated; anything else as it is."""
    return _(why)


def of_exit(exit_code: int | None) -> str:
    """An exit status in words. Negative: the signal that killed it; ``None``: nobody saw it end."""
    if exit_code is None:
        return _("its exit status is unknown")
    if exit_code >= 0:
        return _("it exited with status %(status)d") % {"status": exit_code}
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = _("signal %(number)d") % {"number": -exit_code}
    return _("it was killed by %(signal)s") % {"signal": name}


def too_long(seconds: float | None) -> str:
    return _("it ran longer than %(seconds)g seconds") % {"seconds": seconds or 0}


def asked_by(whom: str) -> str:
    return _("a stop was asked for by %(who)s") % {"who": whom}


def asked_before_start() -> str:
    return _("a stop was asked before it started")


def not_started(error: Exception) -> str:
    return _("it could not be started: %(error)s") % {"error": error}


def shut_down(host: str) -> str:
    return _("its worker on %(host)s shut down, and stopped it") % {"host": host}


def told_to_end(host: str) -> str:
    return _("its worker on %(host)s was told to end at once, and killed it") % {"host": host}


def survived(names: Sequence[str]) -> str:
    return _("these could not be killed: %(names)s") % {"names": ", ".join(names)}


def result_not_saved(*, late: bool) -> str:
    """Why the row does not show what the supervisor saw."""
    return _("the report came too late") if late else _("the database could not be told")
