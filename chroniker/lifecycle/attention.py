"""What a monitor found: written by the command itself, while its run is the one that runs."""

from __future__ import annotations

from uuid import UUID

from chroniker.models import Run, Status


def needs_attention(run_id: UUID, token: int, records: int) -> bool:
    """Note the count on the run; ``False``: it is not running any more, and nothing was written."""
    running = Run.objects.filter(pk=run_id, token=token, status=Status.RUNNING)
    return running.update(attention_count=max(0, min(int(records), 2**31 - 1))) > 0
