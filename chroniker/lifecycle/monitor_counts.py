"""Record the count of a monitor. Its command calls this while its run is running."""

from __future__ import annotations

from uuid import UUID

from chroniker.models import Run, Status


def record_monitor_count(run_id: UUID, token: int, records: int) -> bool:
    """Write the count to the run. ``False``: the run is no longer running; nothing was written."""
    running = Run.objects.filter(pk=run_id, token=token, status=Status.RUNNING)
    return running.update(attention_count=max(0, min(int(records), 2**31 - 1))) > 0
