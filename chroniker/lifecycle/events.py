"""Notes on a run. Anyone may write one; nothing is decided by them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from uuid import UUID

from chroniker.clock.database_clock import FromNow
from chroniker.models import EventKind, Run, RunEvent, Status


def note(run_id: UUID, kind: EventKind, text: str = "") -> None:
    RunEvent.objects.create(run_id=run_id, at=FromNow(), kind=kind, text=text)


def note_lost(ended: Iterable[Run], now: dt.datetime) -> None:
    """For those of ``ended`` that were lost, so that they can be counted by kind and time.

    An index on runs by their status would cost each run's end a write; losses are few.
    """
    lost = [run for run in ended if run.status == Status.LOST]
    if lost:
        events = [RunEvent(run_id=run.pk, at=now, kind=EventKind.LOST, text=run.reason) for run in lost]
        RunEvent.objects.bulk_create(events)
