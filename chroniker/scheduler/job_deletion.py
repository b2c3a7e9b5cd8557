"""Delete jobs. A job with an open run is disabled and stopped first, and deleted after the end of the run."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.db import IntegrityError

from chroniker import lifecycle
from chroniker.clock.database_clock import NowPlus
from chroniker.lifecycle import find_jobs_to_delete
from chroniker.models import FINAL_STATUSES, Job, Run
from chroniker.process.kernel import host_clock
from chroniker.scheduler import retention

logger = logging.getLogger(__name__)

#: The most jobs that one pass deletes.
MAX_JOBS_PER_PASS = 100


def request_job_deletion(job_ids: Sequence[int]) -> None:
    """Mark these jobs: each is disabled, and deleted as soon as it has no open run. The caller stops the runs.

    Enabling a job cancels its deletion. The force-stop flag is set in case the caller dies before it stops the runs.
    """
    marked = Job.objects.filter(pk__in=job_ids)
    marked.update(enabled=False, force_run=False, force_stop=True, deletion_requested_at=NowPlus())


def delete_marked_jobs() -> int:
    """Delete the marked jobs without an open run; returns how many. Needs one statement if there is none.

    The history is deleted first, in portions, so that no transaction is long. When the time limit is reached, a
    later tick continues. If rows of the project's own tables refer to a job, later ticks try the deletion again.
    """
    ids = list(find_jobs_to_delete().order_by("deletion_requested_at").values_list("pk", flat=True)[:MAX_JOBS_PER_PASS])
    began, removed = host_clock.monotonic(), 0
    for job_id in ids:
        try:
            if _delete_runs_of_job(job_id, until=began + retention.TIME_LIMIT_PER_PASS.total_seconds()):
                removed += len(lifecycle.delete_jobs([job_id]))
        except IntegrityError as error:
            logger.warning("Job %s cannot be deleted yet: %s", job_id, str(error).strip())
    return removed


def _delete_runs_of_job(job_id: int, until: float) -> bool:
    """Delete the job's runs. ``False``: the time limit was reached, and some runs are left."""
    runs = Run.objects.filter(job=job_id, parent=None, status__in=FINAL_STATUSES).order_by("token")
    while portion := list(runs.values_list("pk", flat=True)[: retention.RUNS_PER_SEARCH]):
        if host_clock.monotonic() > until or not retention.delete_runs(portion):
            return False
    return True
