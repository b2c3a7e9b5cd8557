"""The texts of the cells that every table of runs has."""

from __future__ import annotations

import datetime as dt

from django.utils.translation import gettext as _

from chroniker.models import Job, Run, Status, Trigger
from chroniker.wording.exit_status import exit_status_in_words
from chroniker.wording.formats import NO_VALUE_TEXT, short_duration


def state_code(run: Run) -> str:
    """The code of the run's state, as in ``chroniker.wording.states``."""
    is_stopping = run.status == Status.RUNNING and run.stop_requested_at is not None
    return "stopping" if is_stopping else str(run.status)


def duration_text(run: Run, now: dt.datetime) -> str:
    return short_duration((run.finished_at or now) - run.started_at) if run.started_at else NO_VALUE_TEXT


def start_delay_text(run: Run) -> str:
    """The time from the scheduled time (without one: from the claim) to the start."""
    return short_duration(run.started_at - (run.scheduled_for or run.claimed_at)) if run.started_at else NO_VALUE_TEXT


def started_by_text(run: Run, job: Job) -> str:
    if run.trigger == Trigger.RETRY:
        return _("retry %(n)d of %(most)d") % {"n": run.attempt - 1, "most": job.max_retries}
    return (
        run.asked_by
        if run.trigger in (Trigger.MANUAL, Trigger.EVENT) and run.asked_by
        else str(Trigger(run.trigger).label)
    )


def unmasked_status_reason(run: Run) -> str:
    """Why the run has its status; empty for a running or successful run. Secrets are not masked."""
    if run.status in (Status.RUNNING, Status.SUCCEEDED):
        return ""
    error = run.error_line if run.error_line not in run.reason else ""
    return ": ".join(filter(None, [run.reason or exit_status_in_words(run.exit_code), error]))
