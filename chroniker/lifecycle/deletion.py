"""Delete the jobs with a deletion request, as soon as they have no open run."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Exists, OuterRef, QuerySet

from chroniker.lifecycle.transactions import lock_rows, transactional
from chroniker.models import Job, JobState, Lease


def find_jobs_to_delete() -> QuerySet[Job]:
    """Disabled jobs with a deletion request and without an open run on any host."""
    is_open = Exists(Lease.objects.filter(job=OuterRef("pk")))
    return Job.objects.filter(~is_open, deletion_requested_at__isnull=False, enabled=False)


@transactional
def delete_jobs(job_ids: Collection[int], *, wait_for_locks: bool = False) -> list[int]:
    """Delete those of these jobs that ``find_jobs_to_delete`` returns, with all their rows; returns the deleted ids.

    States and jobs are locked first, so that a job cannot be claimed or enabled during its deletion. Without
    ``wait_for_locks``, a job that another transaction has locked is left out.
    """
    states = JobState.objects.filter(pk__in=job_ids)
    mine = set(lock_rows(states, skip=not wait_for_locks).values_list("pk", flat=True))
    # A job whose state another transaction has locked may be claimed just now. A job without a state cannot be claimed.
    free = set(job_ids) - (set(states.values_list("pk", flat=True)) - mine)
    ids = list(
        lock_rows(find_jobs_to_delete().filter(pk__in=free), skip=not wait_for_locks).values_list("pk", flat=True)
    )
    Job.objects.filter(pk__in=ids).delete()
    return ids
