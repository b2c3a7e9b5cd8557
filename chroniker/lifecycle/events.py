"""Notes on a run. Anyone may write one; nothing is decided by them."""

from __future__ import annotations

from uuid import UUID

from chroniker.clock import FromNow
from chroniker.models import EventKind, RunEvent


def note(run_id: UUID, kind: EventKind, text: str = "") -> None:
    RunEvent.objects.create(run_id=run_id, at=FromNow(), kind=kind, text=text)
