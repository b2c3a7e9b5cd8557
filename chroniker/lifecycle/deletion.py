"""Deleting jobs: the ones that somebody asked to delete, once nothing of them is open."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Exists, OuterRef, QuerySet

from chroniker.lifecycle.transactions import locked, transactional
from chroniker.models import Job, JobState, Lease


def jobs_to_delete() -> QuerySet[Job]:
    """Jobs whose deletion was asked for, that are disabled, and have no open run on any host."""
    is_open = Exists(Lease.objects.filter(job=OuterRef("pk")))
    return Job.objects.filter(~is_open, deletion_asked_at__isnull=False, enabled=False)


@transactional
def delete_jobs(job_ids: Collection[int], *, wait: bool = False) -> list[int]:
    """Delete those of these jobs that ``to_remove`` names, with all that is theirs; their ids.

    States and jobs are locked first: none can be claimed, or enabled and so be kept, while it goes. One that somebody
    else holds is left for another time, unless ``wait``.
    """
    list(locked(JobState.objects.filter(pk__in=job_ids), skip=not wait).values_list("pk", flat=True))
    ids = list(locked(jobs_to_delete().filter(pk__in=job_ids), skip=not wait).values_list("pk", flat=True))
    Job.objects.filter(pk__in=ids).delete()
    return ids
