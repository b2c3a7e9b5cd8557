"""The page of one run: its facts, events and output, for the template and for the refresh."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.core.exceptions import BadRequest
from django.utils.translation import gettext, gettext_lazy, ngettext

from chroniker.admin.runs import host_runs
from chroniker.admin.shared import page_notices
from chroniker.admin.shared.cells import NOTHING, Cell, moment
from chroniker.admin.shared.live_refresh import cell_name, cells_json
from chroniker.admin.shared.run_cells import run_cells
from chroniker.admin.shared.site_links import admin_url
from chroniker.clock.database_clock import database_now
from chroniker.insights.durations import expected_durations
from chroniker.insights.output.pages import Cursor, Page, Piece, last_page, page_after
from chroniker.models import OPEN, EventKind, Lease, Run, RunEvent, Status, Stream

#: Output in the pipes is stored after the outcome: the page looks for it this long.
DRAINS = dt.timedelta(minutes=2)
#: Events on the page. Each repeated delivery adds one.
MOST_EVENTS = 100

#: The labels of a run's facts, by cell name, in the order of a run's life.
LABELS: dict[str, Any] = {
    "status": gettext_lazy("Status"),
    "reason": gettext_lazy("Reason"),
    "progress": gettext_lazy("Progress"),
    "duration": gettext_lazy("Duration"),
    "exit": gettext_lazy("Exit status"),
    "trigger": gettext_lazy("Started by"),
    "args": gettext_lazy("Arguments"),
    "scheduled_for": gettext_lazy("Scheduled for"),
    "claimed": gettext_lazy("Claimed"),
    "dispatched": gettext_lazy("Dispatched"),
    "started": gettext_lazy("Started"),
    "finished": gettext_lazy("Finished"),
    "required_host": gettext_lazy("For host"),
    "where": gettext_lazy("Host"),
    "stop": gettext_lazy("Stop requested"),
}
_WORDS = {Stream.REMARK: gettext_lazy("remark"), Stream.STDOUT: "stdout", Stream.STDERR: "stderr"}


def context(run: Run) -> dict[str, Any]:
    now = database_now()
    cells = _cells(run, now)
    return {
        "facts": [(label, cells[name].html(cell_name("run", run.pk, name))) for name, label in LABELS.items()],
        "live_url": admin_url("chroniker_run_live", run.pk),
        "output_url": admin_url("chroniker_run_output", run.pk),
        "log_url": admin_url("chroniker_run_log", run.pk),
        **page_notices.context(),
        "hosts": host_runs.rows(run, now),
    }


def updates(run: Run, after: str, events: str) -> dict[str, Any]:
    """For the refresh: the current state, events after the id ``events``, output after the cursor ``after``."""
    try:
        page = page_after(run.pk, Cursor.parse(after)) if after else last_page(run.pk)
        latest = max(0, min(int(events), 2**63 - 1))
    except ValueError:
        raise BadRequest("after must be a cursor, events a number.") from None
    now = database_now()
    return {
        "cells": cells_json("run", run.pk, _cells(run, now)) | host_runs.updates(run, now),
        "events": [_event_json(event) for event in _events(run, latest)],
        "output": page_json(page),
        "open": run.status in OPEN,
        "more": run.finished_at is None or now - run.finished_at < DRAINS,
    }


def page_json(page: Page) -> dict[str, Any]:
    return {
        "pieces": [_piece_json(piece) for piece in page.pieces],
        "before": str(page.before),
        "after": str(page.after),
        "more_before": page.more_before,
        "more_after": page.more_after,
    }


def _cells(run: Run, now: dt.datetime) -> dict[str, Cell]:
    if run.status == Status.RUNNING:
        lease = Lease.objects.filter(pk=run.pk).first()
        cells = run_cells(run, now, lease, expected_durations([run.job_id]).get(run.job_id))
    else:
        cells = run_cells(run, now)
    return {**cells, "args": _args(run)}


def _args(run: Run) -> Cell:
    if run.args is not None:
        return Cell(run.args or NOTHING, note=gettext("for this run only"))
    return Cell(run.job.args or NOTHING, note=gettext("the job's current arguments") if run.job.args else "")


def _events(run: Run, latest: int) -> list[RunEvent]:
    newest = RunEvent.objects.filter(run=run, pk__gt=latest).order_by("-pk")[:MOST_EVENTS]
    return list(newest)[::-1]


def _event_json(event: RunEvent) -> dict[str, Any]:
    kind = str(EventKind(event.kind).label) if event.kind in EventKind else event.kind
    return {"id": event.pk, "at": moment(event.at), "kind": kind, "text": event.description}


def _piece_json(piece: Piece) -> dict[str, Any]:
    text = ngettext("%(n)d output chunk is missing here", "%(n)d output chunks are missing here", piece.missing)
    return {
        "kind": piece.stream.name.lower(),
        "word": str(_WORDS[piece.stream]),
        "seq": piece.seq,
        "at": moment(piece.written_at),
        "text": piece.text,
        "missing": text % {"n": piece.missing} if piece.missing > 0 else "",
    }
