"""One run of a job as a row of a table."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from chroniker.admin.shared import run_cells
from chroniker.admin.shared.site_links import admin_url
from chroniker.insights.job_status import JobStatus
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.models import OPEN_STATUSES, Run, Status


@dataclass(frozen=True, slots=True)
class RunRow:
    run: Run
    url: str
    code: str
    took: str
    delay: str
    started_by: str
    reason: str
    is_open: bool
    again_url: str  #: empty while the run is open


def run_row(run: Run, overview: JobStatus) -> RunRow:
    return RunRow(
        run=run,
        url=admin_url("chroniker_run_change", run.pk),
        code=run_cells.state_code(run),
        took=run_cells.duration_text(run, overview.now),
        delay=run_cells.start_delay_text(run),
        started_by=run_cells.started_by_text(run, overview.job),
        reason=mask_secrets(_progress_or_reason_text(run, overview), overview.job.secrets),
        is_open=run.status in OPEN_STATUSES,
        again_url="" if run.status in OPEN_STATUSES else admin_url("chroniker_run_again", run.pk),
    )


def _progress_or_reason_text(run: Run, overview: JobStatus) -> str:
    lease = overview.lease
    if run.status == Status.RUNNING and lease is not None and lease.run_id == run.pk and lease.total_parts:
        done = lease.total_parts_complete or 0
        return _("%(n)d %% done") % {"n": min(100 * done // lease.total_parts, 100)}
    return run_cells.unmasked_status_reason(run)
