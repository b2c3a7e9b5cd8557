"""Why a run waits, was skipped or ended: every code, with its English text and its parameters.

A row keeps the code and the parameters; the text is rendered when a page is read, in that reader's language. So
programs can tell reasons apart, and two readers of one run need not share a language.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

#: Parameters that are the code of a run's status.
_STATUS_PARAMETERS = {"outcome", "run_status"}
#: Parameters that name a requester: the name of a user or program, or a code in the form of ``Reason.to_text``.
_REQUESTER_PARAMETERS = {"who"}
#: The parameter that holds the other parts of a reason with several parts, each as (code, parameters).
OTHER_PARTS_KEY = "also"


class Code(TextChoices):
    """The values are a stable interface for programs. ``required_host`` and ``host`` may be the run's own."""

    # Of skipped runs.
    MISSED = "MISSED", _("Missed: more than %(seconds)s s late.")
    OVERLAP = "OVERLAP", _("The job was still running.")
    BLACKOUT = "BLACKOUT", _("Blackout: %(name)s")
    DISABLED = "DISABLED", _("The job was disabled.")
    EDITED = "EDITED", _("The schedule was changed.")
    CATCH_UP = (
        "CATCH_UP",
        _("A later scheduled time gets the run instead: if several wait, only the last one gets a run."),
    )
    NO_HOST = (
        "NO_HOST",
        _("No live host: in the last %(seconds)s s none reported that it serves the executor “%(executor)s”."),
    )
    # Of runs that wait to start.
    NOT_ACCEPTED = "NOT_ACCEPTED", _("The executor did not accept it: %(error)s")
    COPIED = "COPIED", _("This database is a copy: nothing starts until “manage.py chroniker_adopt” has been run.")
    ADOPTED = (
        "ADOPTED",
        _("When this copy of the database was adopted, everything that had been due before was skipped."),
    )
    DRAINING = (
        "DRAINING",
        _("The host “%(host)s” is draining: the run waits until another host takes it or the drain ends."),
    )
    WAITS_FOR_HOST = "WAITS_FOR_HOST", _("It waits for the host “%(required_host)s” to take it.")
    # Of runs that were closed without a worker's report.
    STOPPED_EARLY = "STOPPED_EARLY", _("Stopped before it started.")
    NOT_TAKEN = "NOT_TAKEN", _("No worker took it within its start deadline.")
    HOST_GONE = "HOST_GONE", _("Lost contact with its host “%(required_host)s” before it started.")
    LEASE = "LEASE", _("Lost contact with the worker. The command may have finished.")
    HOSTS = "HOSTS", _("It succeeded on %(done)d of %(all)d hosts. The others: %(others)s.")
    # Of runs that ended, as their workers report.
    EXIT = "EXIT", _("it exited with status %(status)d")
    NOT_EXECUTABLE = "NOT_EXECUTABLE", _("it exited with status 126 (in a shell: the program cannot be executed)")
    NOT_FOUND = "NOT_FOUND", _("it exited with status 127 (in a shell: the program was not found)")
    EXIT_SIGNAL = "EXIT_SIGNAL", _("it exited with status %(status)d (in a shell: killed by %(signal)s)")
    LAST_LINE = "LAST_LINE", _("last line on stderr: %(line)s")
    EXIT_UNKNOWN = "EXIT_UNKNOWN", _("its exit status is unknown")
    SIGNAL = "SIGNAL", _("it was killed by %(signal)s")
    SIGNAL_NUMBER = "SIGNAL_NUMBER", _("it was killed by signal %(number)d")
    STDERR = "STDERR", _("it wrote to stderr, which this job counts as a failure")
    TIMEOUT = "TIMEOUT", _("it ran longer than its timeout of %(seconds)g s")
    STOP = "STOP", _("a stop was requested by %(who)s")
    NOT_STARTED = "NOT_STARTED", _("it could not be started: %(error)s")
    WORKER_SHUTDOWN = "WORKER_SHUTDOWN", _("its worker on %(host)s shut down and stopped it")
    WORKER_ENDED = (
        "WORKER_ENDED",
        _("its worker on %(host)s killed it, because the worker itself had to exit immediately"),
    )
    LEASE_LATE = "LEASE_LATE", _("its lease could not be renewed in time")
    LEASE_UNKNOWN = "LEASE_UNKNOWN", _("its lease no longer exists in the database")
    KEEPER_DIED = "KEEPER_DIED", _("its keeper died; the remaining processes of the run were killed")
    KEEPER_SILENT = "KEEPER_SILENT", _("its keeper stopped answering; the remaining processes of the run were killed")
    KEEPER_SLOW = "KEEPER_SLOW", _("its keeper did not kill the processes of the run in time; the worker killed them")
    SURVIVORS = "SURVIVORS", _("these processes could not be killed: %(names)s")
    REPORT_LATE = "REPORT_LATE", _("the result was reported too late")
    NOT_SAVED = "NOT_SAVED", _("the result could not be saved")
    OTHER = "OTHER", "%(text)s"
    REFUSED = "REFUSED", _("The command was refused: %(error)s")
    IMPORTED = "IMPORTED", _("Imported from django-chroniker.")
    # Of events.
    OUTPUT_UNSTORED = (
        "OUTPUT_UNSTORED",
        _(
            "The outcome was reported before the end of the output was stored (characters: %(n)d). If the last "
            "lines of the output do not mention this, the end of the output is missing."
        ),
    )
    SLOT_KEPT = "SLOT_KEPT", _("The next run of this job waits until these processes have ended: %(names)s.")
    OUTPUT_MISSING = (
        "OUTPUT_MISSING",
        _("The end of the output may be missing: the worker did not report the end of the run."),
    )
    OUTPUT_LOST = "OUTPUT_LOST", _("The end of the output may be missing. Characters not known to be stored: %(n)d.")
    REQUESTED = "REQUESTED", _("requested by %(who)s")
    LATE_RESULT = "LATE_RESULT", _("it ended as “%(outcome)s” after it had been closed as “%(run_status)s”")
    REFUSED_STATE = "REFUSED_STATE", _("on %(host)s, process %(pid)d: the run is “%(run_status)s”")
    REFUSED_TOKEN = "REFUSED_TOKEN", _("on %(host)s, process %(pid)d: the run has token %(current)d, not %(token)d")
    OTHER_HOST = "OTHER_HOST", _("the run is for the host “%(required_host)s” only")
    ALREADY_HERE = "ALREADY_HERE", _("a process on %(host)s is already executing this run")
    # Requesters that are no user or program.
    FORCE_STOP = "FORCE_STOP", _("the force-stop flag")
    REPLACE = "REPLACE", _("the overlap policy “replace”")
    CONTROL_COMMAND = "CONTROL_COMMAND", _("a Celery control command")
    # Why an activation got no run.
    TOO_OLD = "TOO_OLD", _("It waited longer than the misfire grace of its job.")
    LATER = "LATER", _("A later activation gets the run instead: if several wait, only the last one gets a run.")
    DISCARDED = "DISCARDED", _("Someone discarded it.")
    TOO_DEEP = "TOO_DEEP", _("More than 50 triggers in a row: the jobs start each other in a circle.")
    TOO_MANY = "TOO_MANY", _("10,000 activations were already waiting for the job.")
    # About the database's clock.
    CLOCK_AHEAD = "CLOCK_AHEAD", _("The database's clock jumped ahead by %(seconds)d s.")
    CLOCK_BACK = "CLOCK_BACK", _("The database's clock went back by %(seconds)d s.")
    CLOCK_BOTH = "CLOCK_BOTH", _("The database's clock jumped forward and back.")
    OTHER_SERVER = (
        "OTHER_SERVER",
        _("A different database server answers now; a standby may have been promoted."),
    )

    @property
    def parameters(self) -> frozenset[str]:
        """The names of the values that its text takes."""
        return frozenset(re.findall(r"%\((\w+)\)", str(self.label)))


#: Codes of skipped runs that count as missed: no rule or person decided to skip them, so notifications are sent.
MISSED_RUN_CODES = frozenset({Code.MISSED, Code.NO_HOST})

_STATUS_LABELS = {
    "CLAIMED": _("queued"),
    "RUNNING": _("running"),
    "SUCCEEDED": _("succeeded"),
    "SKIPPED": _("skipped"),
    "FAILED": _("failed"),
    "TIMED_OUT": _("timed out"),
    "STOPPED": _("stopped"),
    "LOST": _("lost"),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """A code with its parameters, which are JSON values. Without a code: free text, whose language is not known."""

    code: str | None = None  #: of ``Code``, perhaps of another version
    args: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""

    @classmethod
    def of(cls, code: Code, **args: Any) -> Reason:
        return cls(code, args)

    @classmethod
    def joined(cls, first: Reason, *others: Reason) -> Reason:
        """One reason of several parts, each with a code."""
        parts = [part for each in others for part in each._parts()]
        return (
            cls(first.code, {**first.args, OTHER_PARTS_KEY: [*first.args.get(OTHER_PARTS_KEY, ()), *parts]})
            if others
            else first
        )

    def _parts(self) -> list[list[Any]]:
        """Itself and its other parts, as ``OTHER_PARTS_KEY`` keeps them."""
        if not self.code:
            return [[Code.OTHER, {"text": self.text}]]
        own = {name: value for name, value in self.args.items() if name != OTHER_PARTS_KEY}
        return [[self.code, own], *self.args.get(OTHER_PARTS_KEY, ())]

    def __bool__(self) -> bool:
        return bool(self.code or self.text)

    def __str__(self) -> str:
        return render(self.code or "", self.args, self.text)

    def to_text(self) -> str:
        """The reason as one text, for a single text column. ``from_text`` reads it."""
        return json.dumps([self.code, dict(self.args)]) if self.code else self.text

    @classmethod
    def from_text(cls, stored: str) -> Reason:
        """Read what ``to_text`` wrote. Never raises: any other text is free text."""
        try:
            code, args = json.loads(stored)
            return cls.of(Code(code), **args)
        except (ValueError, TypeError, RecursionError):
            return cls(text=stored)

    def columns(self) -> dict[str, Any]:
        """The values of the columns that keep a run's reason: each UPDATE that sets one must set them all."""
        return {"code": self.code or "", "reason_args": dict(self.args), "reason_text": self.text}


NO_REASON = Reason()


def choices() -> list[tuple[str, Any]]:
    """The choices of a column. A function, so that no migration lists the codes or is needed for a new code."""
    return list(Code.choices)


def render(code: str, args: Mapping[str, Any], text: str = "", *, without: Collection[str] = ()) -> str:
    """The reason in the active language; ``text`` where there is no code. ``without``: codes of parts to leave out.

    Never raises: a code or a parameter that another version wrote is shown as it is.
    """
    if not code:
        return text
    shared = {name: value for name, value in args.items() if name != OTHER_PARTS_KEY}
    parts = [(code, {}), *args.get(OTHER_PARTS_KEY, ())]
    return "; ".join(_render_part(part, {**shared, **values}) for part, values in parts if part not in without)


def _render_part(code: str, args: Mapping[str, Any]) -> str:
    try:
        words = {name: _value_to_text(value, args) for name, value in args.items()}
        words |= {name: _STATUS_LABELS.get(args[name], args[name]) for name in _STATUS_PARAMETERS & args.keys()}
        words |= {name: str(Reason.from_text(str(args[name]))) for name in _REQUESTER_PARAMETERS & args.keys()}
        return str(Code(code).label) % words
    except (KeyError, TypeError, ValueError):
        return " ".join([code, *(f"{name}={value}" for name, value in args.items())])


def _value_to_text(value: Any, args: Mapping[str, Any]) -> Any:
    """The value as text: a list of texts, or of hosts with the outcome of each, is joined."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return value
    words = [each if isinstance(each, str) else f"{each[0]}: {_STATUS_LABELS.get(each[1], each[1])}" for each in value]
    if args.get("more"):
        words.append(gettext("and %(n)d more") % {"n": args["more"]})
    return ", ".join(words) or gettext("none")
