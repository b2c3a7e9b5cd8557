"""Resume jobs that are held after a failure."""

from __future__ import annotations

from collections.abc import Collection

from chroniker.lifecycle.bulk import write_states
from chroniker.lifecycle.job_health import HOLD, lift_hold
from chroniker.lifecycle.transactions import locked, transactional
from chroniker.models import JobState


@transactional
def resume_jobs(job_ids: Collection[int]) -> list[int]:
    """Lift the hold of these jobs. Returns those that were held: their scheduled times are due again."""
    held = list(locked(JobState.objects.filter(pk__in=job_ids, held_at__isnull=False), skip=False))
    for state in held:
        lift_hold(state)
    write_states(held, HOLD)
    return [state.pk for state in held]
