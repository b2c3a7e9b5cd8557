"""Stop runs: at a person's request, or by a job's flag."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from chroniker import lifecycle
from chroniker.conf import settings
from chroniker.models import Job, Lease, Run
from chroniker.scheduler import dispatch


def stop(run_id: UUID | str, by: str) -> bool:
    """Request a stop of this run, and notify its worker; returns whether the run was open."""
    run = Run.objects.filter(pk=run_id).select_related("job").first()
    if run is None or not lifecycle.request_stop(run.pk, by):
        return False
    transaction.on_commit(lambda: dispatch.wake_worker(run), using=settings.database, robust=True)
    return True


def stop_flagged() -> None:
    """Step 3, first half: stop the runs of jobs whose ``force_stop`` flag is set. Clears the flag in any case."""
    # "IN (true)" for the index, as in ``claim_kinds``. Not ordered by name: that would read all jobs.
    raised = Job.objects.filter(force_stop__in=[True]).order_by("pk")
    flagged = list(raised.values_list("pk", flat=True)[: settings.batch_size])
    if flagged:
        for lease in Lease.objects.filter(job__in=flagged, slot=""):
            stop(lease.run_id, _("the force-stop flag"))
        Job.objects.filter(pk__in=flagged).update(force_stop=False)
