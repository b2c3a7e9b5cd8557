"""Events of a run. Any process may add one; no decision depends on them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from chroniker.clock.database_clock import NowPlus
from chroniker.models import EventKind, Run, RunEvent, Status
from chroniker.reasons import NO_REASON, Code, Reason


def add_run_event(run_id: UUID, kind: EventKind, text: str = "", *, reason: Reason = NO_REASON) -> None:
    """Add an event: with free text, or with a reason that is rendered for each reader."""
    RunEvent.objects.create(
        run_id=run_id, at=NowPlus(), kind=kind, code=reason.code or "", args=dict(reason.args), text=text
    )


def add_event_to_runs(run_ids: Iterable[UUID], kind: EventKind, reason: Reason) -> None:
    """Add the same event to several runs. One statement."""
    values: dict[str, Any] = {"kind": kind, "code": reason.code or "", "args": dict(reason.args), "text": reason.text}
    RunEvent.objects.bulk_create([RunEvent(run_id=pk, at=NowPlus(), **values) for pk in run_ids])


def add_request_events(claimed: Iterable[Run], now: dt.datetime) -> None:
    """Add an event for each of these runs that a person or a program requested."""
    events = [
        RunEvent(run_id=run.pk, at=now, kind=EventKind.NOTE, code=Code.REQUESTED, args={"who": run.asked_by})
        for run in claimed
        if run.asked_by
    ]
    RunEvent.objects.bulk_create(events)


def add_lost_events(ended: Iterable[Run], now: dt.datetime) -> None:
    """Add an event for each lost run among ``ended``, so that losses can be counted by kind and time.

    The alternative, an index on the runs' status, would cost a write at each run's end; lost runs are rare.
    """
    lost = [run for run in ended if run.status == Status.LOST]
    if lost:
        RunEvent.objects.bulk_create([_make_lost_event(run, now) for run in lost])


def add_missing_output_events(lost: Iterable[Run], now: dt.datetime) -> None:
    """Add an event for each lost run that had started: its worker can no longer record that output is missing."""
    events = [
        RunEvent(run_id=run.pk, at=now, kind=EventKind.NOTE, code=Code.OUTPUT_MISSING) for run in lost if run.started_at
    ]
    RunEvent.objects.bulk_create(events)


def _make_lost_event(run: Run, now: dt.datetime) -> RunEvent:
    args, text = run.reason_parameters, run.reason_text
    return RunEvent(run_id=run.pk, at=now, kind=EventKind.LOST, code=run.code, args=args, text=text)
