"""Resume jobs that are held after a failure."""

from __future__ import annotations

from collections.abc import Collection

from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import alert_conditions, alert_episodes
from chroniker.lifecycle.bulk import write_states
from chroniker.lifecycle.job_health import HOLD_COLUMNS, clear_hold
from chroniker.lifecycle.transactions import lock_rows, transactional
from chroniker.models import Job, JobState


@transactional
def resume_jobs(job_ids: Collection[int]) -> list[int]:
    """Lift the hold of these jobs. Returns those that were held: their scheduled times are due again."""
    held = list(lock_rows(JobState.objects.filter(pk__in=job_ids, held_at__isnull=False), skip=False))
    now = database_now()
    jobs = Job.objects.select_related("group").in_bulk([state.pk for state in held])
    for state in held:
        clear_hold(state)
        state.resumed_at = now
    all_changes = alert_conditions.make_alert_changes((state, jobs[state.pk]) for state in held)
    for changes in all_changes:
        alert_conditions.add_alert_changes_from_state(changes)
        changes.state.alert_at = now if changes.rules.is_time_dependent else changes.state.alert_at
    alert_episodes.write_alert_changes(all_changes, now)
    write_states(held, (*HOLD_COLUMNS, "resumed_at", *alert_episodes.ALERT_COLUMNS))
    return [state.pk for state in held]
