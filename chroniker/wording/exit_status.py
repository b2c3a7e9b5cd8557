"""The exit status of a command in words."""

from __future__ import annotations

import signal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

#: Statuses that shells give a meaning.
EXIT_STATUS_MEANINGS = {
    126: gettext_lazy("not executable"),
    127: gettext_lazy("no such program"),
    130: gettext_lazy("interrupted"),
    137: gettext_lazy("killed, probably out of memory"),
    139: gettext_lazy("crashed"),
    143: gettext_lazy("ended by SIGTERM"),
}


def exit_status_in_words(code: int | None) -> str:
    """“exit status 127: no such program”, “killed by SIGKILL, probably out of memory”; empty for no status."""
    if code is None:
        return ""
    if code < 0:
        words = {"signal": _signal_name(-code)}
        if -code == signal.SIGKILL:
            return _("killed by %(signal)s, probably out of memory") % words
        return _("killed by %(signal)s") % words
    if code in EXIT_STATUS_MEANINGS:
        return _("exit status %(code)d: %(meaning)s") % {"code": code, "meaning": EXIT_STATUS_MEANINGS[code]}
    return _("exit status %(code)d") % {"code": code}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return _("signal %(number)d") % {"number": number}
