"""Stop runs: at a person's request, or by a job's flag."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db import transaction

from chroniker import lifecycle
from chroniker.conf import settings
from chroniker.models import Job, Lease, Run
from chroniker.reasons import Code, Reason
from chroniker.scheduler import dispatch


def stop_run(run_id: UUID | str, requested_by: str) -> bool:
    """Request a stop of this run, and notify its worker; returns whether the run was open."""
    run = Run.objects.filter(pk=run_id).select_related("job").first()
    if run is None or not lifecycle.request_stop(run.pk, requested_by):
        return False
    transaction.on_commit(lambda: dispatch.notify_workers_of_stop([run]), using=settings.database, robust=True)
    return True


def stop_runs(run_ids: Collection[UUID], requested_by: str) -> None:
    """Like ``stop_run`` for several runs, with a constant number of statements."""
    if not run_ids:
        return
    lifecycle.request_stops(run_ids, requested_by)
    runs = list(Run.objects.filter(pk__in=run_ids).select_related("job"))
    transaction.on_commit(lambda: dispatch.notify_workers_of_stop(runs), using=settings.database, robust=True)


def stop_runs_of_jobs_with_force_stop() -> None:
    """Part of step 3 of a tick: stop the runs of jobs whose ``force_stop`` flag is set, and clear the flags."""
    # "IN (true)" for the index, as in ``claim_kinds``. Not ordered by name: that would read all jobs.
    raised = Job.objects.filter(force_stop__in=[True]).order_by("pk")
    flagged = list(raised.values_list("pk", flat=True)[: settings.batch_size])
    if flagged:
        runs = Lease.objects.filter(job__in=flagged, slot="").order_by("pk")
        stop_runs(list(runs.values_list("pk", flat=True)), Reason.of(Code.FORCE_STOP).to_text())
        Job.objects.filter(pk__in=flagged).update(force_stop=False)
