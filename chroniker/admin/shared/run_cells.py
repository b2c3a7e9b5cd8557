"""The cells of a run, for lists and for its page: status badge, times, duration, host, reason."""

from __future__ import annotations

import datetime as dt
import signal
from dataclasses import replace

from django.utils.translation import gettext as _

from chroniker.admin.shared.cells import NOTHING, Cell, distance, moment, span
from chroniker.admin.shared.run_progress import RunProgress
from chroniker.models import EVERY_HOST, Lease, Run, Status, Trigger


def run_cells(
    run: Run, now: dt.datetime, lease: Lease | None = None, expected: dt.timedelta | None = None
) -> dict[str, Cell]:
    """By column. ``lease``: of an open run, for its progress. ``expected``: the usual duration."""
    state, length = status(run), duration(run, now)
    return {
        "status_by": replace(state, note=_trigger(run)),
        "started_for": Cell(moment(run.started_at), note=length if run.started_at else ""),
        "status": state,
        "trigger": Cell(_trigger(run)),
        "scheduled_for": Cell(moment(run.scheduled_for), note=_covers(run)),
        "claimed": Cell(moment(run.claimed_at), note=distance(run.claimed_at, now)),
        "dispatched": Cell(moment(run.dispatched_at), note=_dispatches(run)),
        "started": Cell(moment(run.started_at)),
        "finished": Cell(moment(run.finished_at)),
        "duration": Cell(length),
        "progress": RunProgress(run, lease or run, now, expected).cell(),
        "exit": Cell(exit_status(run.exit_code)),
        "required_host": Cell(
            _("every live host") if run.required_host == EVERY_HOST else run.required_host or NOTHING
        ),
        "where": Cell(run.host or NOTHING, note=_("process %(pid)d") % {"pid": run.pid} if run.pid else ""),
        "reason": Cell(run.reason or NOTHING),
        "stop": Cell(_stop(run)),
    }


def status(run: Run) -> Cell:
    """The status badge of a run; “stopping” for a running one with a stop request."""
    if run.status == Status.RUNNING and run.stop_requested_at is not None:
        return Cell(_("stopping"), "waiting")
    kind = {Status.CLAIMED: "queued", Status.RUNNING: "running"}.get(Status(run.status), run.status.lower())
    word = _("queued") if run.status == Status.CLAIMED else str(Status(run.status).label)
    return Cell(word, kind)


def duration(run: Run, now: dt.datetime) -> str:
    return span((run.finished_at or now) - run.started_at) if run.started_at else NOTHING


def exit_status(code: int | None) -> str:
    """“0”, “1”, “killed by SIGKILL”."""
    if code is None:
        return NOTHING
    if code >= 0:
        return str(code)
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    return _("killed by %(signal)s") % {"signal": name}


def _trigger(run: Run) -> str:
    word = str(Trigger(run.trigger).label)
    return _("%(trigger)s, attempt %(n)d") % {"trigger": word, "n": run.attempt} if run.attempt > 1 else word


def _covers(run: Run) -> str:
    if run.covered_until is None or run.covered_until == run.scheduled_for:
        return ""
    return _("and all scheduled times until %(time)s") % {"time": moment(run.covered_until)}


def _dispatches(run: Run) -> str:
    return _("%(n)d times") % {"n": run.dispatch_count} if run.dispatch_count > 1 else ""


def _stop(run: Run) -> str:
    if run.stop_requested_at is None:
        return NOTHING
    return _("by %(who)s at %(time)s") % {"who": run.stop_requested_by, "time": moment(run.stop_requested_at)}
