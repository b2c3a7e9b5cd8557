"""The rows of the list of jobs, in sections. The caller has read the data of all rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from chroniker.admin.jobs.job_head import due_since_sentence
from chroniker.admin.jobs.row_actions import RowAction, RowLinks, main_row_action, row_links
from chroniker.admin.jobs.sparkline import Sparkline, draw_sparkline
from chroniker.admin.shared.alert_cells import alert_state_code
from chroniker.admin.shared.site_links import AdminUrlCache
from chroniker.insights.durations import estimate_end
from chroniker.insights.health import ComponentHealth
from chroniker.insights.job_filters import STUCK_AFTER
from chroniker.insights.job_status import JobStatus
from chroniker.insights.jobs_in_trouble import TROUBLE_ALERT_KINDS
from chroniker.insights.latest_runs import PastRun, count_succeeded_and_ended
from chroniker.job_commands import hand_over
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.models import OPEN_STATUSES, Job, Status
from chroniker.models.alert import alert_kinds_of_bits
from chroniker.schedule import describe_schedule
from chroniker.wording.formats import NO_VALUE_TEXT, format_count, short_duration
from chroniker.wording.states import state

#: A smaller share of successful runs is coloured.
LOW_SUCCESS_SHARE = 0.75
JOB_LIST_SECTION_TITLES = {
    "attention": gettext_lazy("Needs attention"),
    "active": gettext_lazy("Running and waiting"),
    "quiet": gettext_lazy("On schedule"),
    "unplanned": gettext_lazy("Without a next run"),
    "disabled": gettext_lazy("Disabled"),
}


@dataclass(frozen=True, slots=True)
class RowProgress:
    percent: int
    text_at_left: str
    text_at_right: str


@dataclass(frozen=True, slots=True)
class JobRow:
    overview: JobStatus
    code: str
    list_section: str
    schedule_in_words: str
    note: str
    reason: str
    reason_tone: str
    progress: RowProgress | None
    spark: Sparkline | None
    success_percentage: str
    success_tone: str
    took: str
    usual_duration: str
    took_tone: str
    host: str
    alerts: list[str]  #: the codes of its open alerts about time
    action: RowAction | None
    links: RowLinks
    select_label: str
    menu_label: str

    @property
    def job(self) -> Any:
        return self.overview.job


@dataclass(frozen=True, slots=True)
class SharedRowValues:
    """The values that all rows of a page share. Each text is translated once for all rows."""

    permissions: Any
    tick: ComponentHealth
    urls: AdminUrlCache = field(default_factory=AdminUrlCache)
    select_label: str = field(default_factory=lambda: _("Select %(job)s"))
    menu_label: str = field(default_factory=lambda: _("More actions for %(job)s"))
    success_percentage: str = field(default_factory=lambda: _("%(n)d %%"))


def job_rows(
    overviews: Iterable[JobStatus], past_runs: Mapping[int, Sequence[PastRun]], shared_values: SharedRowValues
) -> list[JobRow]:
    return [_job_row(overview, past_runs.get(overview.job.pk, ()), shared_values) for overview in overviews]


def _job_row(overview: JobStatus, runs: Sequence[PastRun], shared_values: SharedRowValues) -> JobRow:
    job, code = overview.job, overview.state_code
    good, ended = count_succeeded_and_ended(runs)
    took, usual_duration, took_tone = _duration_texts_and_tone(overview, runs)
    reason, tone = _reason_and_tone(overview, code, runs, shared_values.tick)
    return JobRow(
        overview=overview,
        code=code,
        list_section=_list_section_of_job(overview, code),
        schedule_in_words=_schedule_in_words(job),
        note=hand_over.hand_over_note(job.command, job.args),
        reason=mask_secrets(reason, job.secrets),
        reason_tone=tone,
        progress=_progress_of_open_run(overview),
        spark=draw_sparkline(runs),
        success_percentage=shared_values.success_percentage % {"n": 100 * good // ended} if ended else NO_VALUE_TEXT,
        success_tone="bad" if ended and good < LOW_SUCCESS_SHARE * ended else "",
        took=took,
        usual_duration=usual_duration,
        took_tone=took_tone,
        host=next((run.host for run in reversed(runs) if run.host), NO_VALUE_TEXT),
        alerts=[
            alert_state_code(kind)
            for kind in alert_kinds_of_bits(overview.state.alerts_open)
            if kind in TROUBLE_ALERT_KINDS
        ],
        action=main_row_action(overview, shared_values.permissions, shared_values.urls),
        links=row_links(job, runs[-1].pk if runs else None, shared_values.permissions, shared_values.urls),
        select_label=shared_values.select_label % {"job": job.name},
        menu_label=shared_values.menu_label % {"job": job.name},
    )


def _schedule_in_words(job: Job) -> str:
    """The schedule in words. The text names the time zone only if it is not the time zone of the page."""
    words = describe_schedule(job.spec)
    zone = timezone.get_current_timezone_name()
    return words.removesuffix(f" ({zone})") if job.timezone == zone else words


def _list_section_of_job(overview: JobStatus, state_code: str) -> str:
    """The section of a row, by the same rules as ``job_filters.JobConditions``, which decide the order of the list."""
    lease = overview.lease
    is_on, is_broken = overview.job.enabled, overview.state.failing_since or overview.state.schedule_error_since
    if is_on and (is_broken or state_code in ("overdue", "on_hold")):
        return "attention"
    if lease is not None:
        is_stuck = lease.run.status == Status.CLAIMED and lease.run.claimed_at < overview.now - STUCK_AFTER
        return "attention" if is_stuck else "active"
    if not is_on:
        return "disabled"
    next_run = overview.state.next_run
    if overview.state.retry_at is not None or (next_run is not None and next_run <= overview.now):
        return "active"
    return "quiet" if next_run is not None else "unplanned"


def _reason_and_tone(
    overview: JobStatus, state_code: str, runs: Sequence[PastRun], tick_health: ComponentHealth
) -> tuple[str, str]:
    """Why the job is not on schedule, and the tone of this text. Empty if another cell of the row says why."""
    if state_code == "on_hold":
        return overview.why, "bad"
    if overview.state.failures and overview.job.enabled and state_code not in ("running", "stopping"):
        n = overview.state.failures
        text = ngettext("The last run failed", "%(n)d failures in a row", n) % {"n": n}
        last = next((run for run in reversed(runs) if run.status not in (*OPEN_STATUSES, Status.SKIPPED)), None)
        if last is None:
            return f"{text}.", "bad"
        error = last.error_line or str(Status(last.status).label)
        return f"{text}: {error}", "bad"
    # The schedule of a manual job says so.
    is_manual = state_code == "manual" and overview.pause is None and not overview.no_live_host_message
    if overview.is_self_explanatory or is_manual or state_code == "disabled":
        return ("" if overview.job.deletion_requested_at is None else _("Will be deleted when its run ends.")), "wait"
    if overview.pause is not None and not overview.pause.group:
        return "", ""  # the bar of the page says that all jobs are paused
    tone = state(state_code).tone
    if state_code in ("due", "overdue") and not overview.job.force_run:
        return due_since_sentence(overview, tick_health), "bad" if state_code == "overdue" else ""
    return overview.why, tone if tone in ("bad", "wait") else ""


def _progress_of_open_run(overview: JobStatus) -> RowProgress | None:
    lease = overview.lease
    if lease is None or lease.run.status != Status.RUNNING:
        return None
    total, done, expected = lease.total_parts, lease.total_parts_complete or 0, overview.expected_duration
    found = estimate_end(
        lease.run.started_at, overview.now, total_parts=total, done_parts=done, expected_duration=expected
    )
    end = found.end_by_progress or found.end_by_past_runs
    left = _("%(time)s left") % {"time": short_duration(end - overview.now)} if end and end > overview.now else ""
    usual = _("usually %(time)s") % {"time": short_duration(expected)} if expected else ""
    if total:
        share = min(100 * done // total, 100)
        return RowProgress(
            share,
            _("%(done)s of %(total)s") % {"done": format_count(done), "total": format_count(total)},
            left or usual,
        )
    if expected and lease.run.started_at:
        share = min(int(100 * ((overview.now - lease.run.started_at) / expected)), 99)
        return RowProgress(share, "", usual)
    return None


def _duration_texts_and_tone(overview: JobStatus, runs: Sequence[PastRun]) -> tuple[str, str, str]:
    """The last duration, the usual one, and a tone if the last one reached the timeout."""
    last = next((run for run in reversed(runs) if run.seconds is not None), None)
    usual = _("usually %(time)s") % {"time": short_duration(overview.state.p50)} if overview.state.p50 else ""
    if last is None:
        return NO_VALUE_TEXT, usual, ""
    if last.status == Status.TIMED_OUT:
        return short_duration(last.seconds), _("timeout reached"), "bad"
    return short_duration(last.seconds), usual, ""


@dataclass(frozen=True, slots=True)
class JobListSection:
    title: str
    rows: list[JobRow]
    is_counted: bool  #: whether the rows are all jobs of the section


def group_rows_into_sections(
    rows: Sequence[JobRow], *, by_attention: bool, is_whole_list: bool
) -> list[JobListSection]:
    """The rows in sections. With ``by_attention=False``: all rows in one section without a title.

    ``is_whole_list``: the list has only this page.
    """
    if not by_attention:
        return [JobListSection("", list(rows), is_counted=False)] if rows else []
    found = [
        JobListSection(str(title), [row for row in rows if row.list_section == name], is_whole_list)
        for name, title in JOB_LIST_SECTION_TITLES.items()
    ]
    return [section for section in found if section.rows]
