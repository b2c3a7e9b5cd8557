"""One run of a job as a row of a table."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from chroniker.admin.shared.site_links import admin_url
from chroniker.insights.job_status import JobStatus
from chroniker.job_commands.secret_masking import masked
from chroniker.models import OPEN, Run, Status, Trigger
from chroniker.wording.formats import NOTHING, short_duration


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
    again_url: str  #: empty while it is open


def run_row(run: Run, overview: JobStatus) -> RunRow:
    return RunRow(
        run=run,
        url=admin_url("chroniker_run_change", run.pk),
        code="stopping" if run.status == Status.RUNNING and run.stop_requested_at else run.status.lower(),
        took=_took(run, overview),
        delay=_delay(run),
        started_by=_started_by(run, overview),
        reason=masked(_reason(run, overview), overview.job.secrets),
        is_open=run.status in OPEN,
        again_url="" if run.status in OPEN else admin_url("chroniker_run_again", run.pk),
    )


def _took(run: Run, overview: JobStatus) -> str:
    if run.started_at is None:
        return NOTHING
    return short_duration((run.finished_at or overview.now) - run.started_at)


def _delay(run: Run) -> str:
    """From the scheduled time, else from the claim, to the start."""
    if run.started_at is None:
        return NOTHING
    return short_duration(run.started_at - (run.scheduled_for or run.claimed_at))


def _started_by(run: Run, overview: JobStatus) -> str:
    if run.trigger == Trigger.RETRY:
        return _("retry %(n)d of %(most)d") % {"n": run.attempt - 1, "most": overview.job.max_retries}
    if run.trigger == Trigger.MANUAL and run.asked_by:
        return run.asked_by
    return str(Trigger(run.trigger).label)


def _reason(run: Run, overview: JobStatus) -> str:
    lease = overview.lease
    if run.status == Status.RUNNING and lease is not None and lease.run_id == run.pk and lease.total_parts:
        done = lease.total_parts_complete or 0
        return _("%(n)d %% done") % {"n": min(100 * done // lease.total_parts, 100)}
    if run.error_line and run.error_line not in run.reason:
        return f"{run.reason}: {run.error_line}" if run.reason else run.error_line
    return run.reason
