"""The boxes “At a glance” and “What and where” of the page Status."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker.admin.jobs.job_head import executor_queue_priority_text, masked_command_line
from chroniker.admin.shared.site_links import admin_url
from chroniker.exceptions import CommandRefused
from chroniker.insights.job_status import JobStatus
from chroniker.insights.run_counts import RunCounts
from chroniker.job_commands import environment, hand_over
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.models import EVERY_HOST, START_DELAY_BOUNDS, CatchUp, Job, Overlap
from chroniker.wording.formats import NO_VALUE_TEXT, format_count, percent, relative, short_duration, short_time

#: The largest number of subscribers that the page names.
MAX_SUBSCRIBER_NAMES = 5
RUN_COUNT_DAYS = 30


@dataclass(frozen=True, slots=True)
class LabelledValue:
    label: str
    value: str
    note: str = ""
    tone: str = ""
    is_code: bool = False


def job_summary_values(overview: JobStatus, counts: RunCounts | None) -> list[LabelledValue]:
    """``counts``: of the runs of the last ``RUN_COUNT_DAYS`` days; ``None`` if the user may not view runs."""
    now, last = overview.now, overview.state.last_success_at
    found = [
        _labelled_time(_("Next run"), overview.next_run, now),
        _labelled_time(_("Last success"), last, now),
    ]
    if counts is None:
        return found
    total = {"done": format_count(counts.succeeded), "all": format_count(counts.finished)}
    note = _("%(done)s of %(all)s") % total if counts.finished else ""
    rate = percent(counts.succeeded, counts.finished)
    return [
        *found,
        LabelledValue(_("Success, 30 days"), rate, note),
        LabelledValue(
            _("Start delay, p95"),
            _start_delay_text(counts.delay_p95_seconds),
            _("from due time to start") if counts.delay_p95_seconds is not None else "",
        ),
    ]


def _labelled_time(label: str, value: dt.datetime | None, now: dt.datetime) -> LabelledValue:
    return LabelledValue(label, short_time(value, now), relative(value, now) if value else "")


def _start_delay_text(seconds: float | None) -> str:
    if seconds is None:
        return NO_VALUE_TEXT
    if seconds == float("inf"):
        return _("over %(time)s") % {"time": short_duration(START_DELAY_BOUNDS[-1])}
    return _("up to %(time)s") % {"time": short_duration(seconds)}


def job_property_values(job: Job) -> list[LabelledValue]:
    """What the job runs, where, and by which rules. Two statements: for its subscribers and for its tags."""
    found = [
        LabelledValue(_("Command"), masked_command_line(job), is_code=True),
        *(
            [LabelledValue(_("Result"), note, tone="wait")]
            if (note := hand_over.hand_over_note(job.command, job.args))
            else []
        ),
        LabelledValue(_("Executor, queue"), executor_queue_priority_text(job)),
        LabelledValue(_("Host"), _host_text(job)),
        LabelledValue(_("Overlap"), str(Overlap(job.overlap).label) if job.overlap in Overlap else job.overlap),
        LabelledValue(_("Catch-up"), str(CatchUp(job.catch_up).label) if job.catch_up in CatchUp else job.catch_up),
        LabelledValue(_("Timeout"), short_duration(job.timeout_seconds) if job.timeout_seconds else _("none")),
        LabelledValue(_("Retries"), _retries_text(job)),
        LabelledValue(_("After a failure"), _("held") if job.hold_on_failure else _("continues")),
        LabelledValue(_("Notified on failure"), _subscriber_names(job)),
        *([LabelledValue(_("Owner"), job.owner)] if job.owner else []),
        *([LabelledValue(_("Tags"), tags)] if (tags := _tag_links(job)) else []),
        *([LabelledValue(_("Runbook"), format_html('<a href="{0}">{0}</a>', job.runbook))] if job.runbook else []),
    ]
    found += [
        LabelledValue(label, mask_secrets(value, job.secrets), is_code=True)
        for label, value in _environment_labels_and_values(job)
        if value
    ]
    if job.calendar_id is not None:
        found.append(LabelledValue(_("Blackouts"), str(job.calendar)))
    return found


def _tag_links(job: Job) -> str:
    """The tags of the job. Each is a link to the jobs with this tag. One statement."""
    url = admin_url("chroniker_job_changelist")
    links = [(f"{url}?{urlencode({'tag': tag.name})}", tag.name) for tag in job.tags.all()]
    return format_html_join(" ", '<a href="{}">{}</a>', links) if url else " ".join(name for _url, name in links)


def _host_text(job: Job) -> str:
    return _("every live host") if job.hostname == EVERY_HOST else job.hostname or _("any")


def _retries_text(job: Job) -> str:
    if not job.max_retries:
        return _("none")
    words = {"n": job.max_retries, "delay": short_duration(job.retry_backoff_seconds)}
    return ngettext("%(n)d, after %(delay)s", "%(n)d, the first after %(delay)s", job.max_retries) % words


def _environment_labels_and_values(job: Job) -> list[tuple[str, str]]:
    return [
        (_("Environment"), job.environment.strip()),
        (_("Secrets"), _secret_names(job.secrets)),
        (_("Working directory"), job.working_directory),
        (_("Declared in"), job.managed_by),
    ]


def _secret_names(secret_lines: str) -> str:
    """The names of the secrets, without their values."""
    try:
        return ", ".join(environment.parse_secrets(secret_lines))
    except CommandRefused:
        return _("(cannot be read)")


def _subscriber_names(job: Job) -> str:
    if not job.email_errors_to_subscribers:
        return _("nobody")
    field = get_user_model().USERNAME_FIELD
    names = list(job.subscribers.order_by(field).values_list(field, flat=True)[: MAX_SUBSCRIBER_NAMES + 1])
    return ", ".join([*names[:MAX_SUBSCRIBER_NAMES], *(["…"] if len(names) > MAX_SUBSCRIBER_NAMES else [])]) or _(
        "nobody"
    )
