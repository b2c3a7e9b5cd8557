"""The sentence on the page Status: the state of the job, and what happens next."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker.admin.jobs.job_head import due_since_sentence
from chroniker.admin.shared.site_links import admin_url
from chroniker.eligibility.explanations import activations_text
from chroniker.insights.durations import estimate_end
from chroniker.insights.health import fetch_health
from chroniker.insights.job_status import JobStatus
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.models import Overlap, Run
from chroniker.schedule import Frequency
from chroniker.wording.formats import format_count, relative, short_duration, short_time
from chroniker.wording.states import state


@dataclass(frozen=True, slots=True)
class StatusSentence:
    text: str | SafeString
    note: str
    tone: str


def describe_status(overview: JobStatus, last_run: Run | None, *, may_view_runs: bool) -> StatusSentence:
    """``last_run``: the latest closed run, if the user may view runs. ``may_view_runs``: whether the user may."""
    code = overview.state_code
    writers = {
        "running": _running_sentence_and_note,
        "stopping": _running_sentence_and_note,
        "queued": _queued_sentence_and_note,
    }
    if overview.lease is not None:
        text, note = writers.get(code, _queued_sentence_and_note)(
            overview, _run_number_html(overview.lease.run, is_linked=may_view_runs)
        )
    elif code == "failing":
        text, note = _failures_sentence(overview, last_run), _next_run_sentence(overview)
    elif code == "idle":
        text, note = _last_success_sentence(overview), _next_run_sentence(overview)
    elif code == "on_hold":
        text, note = (
            _hold_sentence(overview, last_run),
            _("Its scheduled times wait until it is resumed. Resume it, or run it: a successful run resumes it."),
        )
    elif code == "schedule_error":
        text, note = overview.why, _("Fix the schedule and save the job: then it is scheduled again.")
    elif code in ("due", "overdue") and not overview.job.force_run:
        text, note = due_since_sentence(overview, fetch_health(overview.now).tick), _latest_run_sentence(overview)
    else:
        text, note = overview.why, _latest_run_sentence(overview)
    tone = state(code).tone
    return StatusSentence(text, note, "good" if code == "idle" and overview.state.last_success_at else tone)


def _running_sentence_and_note(overview: JobStatus, run_number: SafeString) -> tuple[str | SafeString, str]:
    assert overview.lease is not None
    run, now = overview.lease.run, overview.now
    duration = now - (run.started_at or run.claimed_at)
    words = {"run": run_number, "time": short_duration(duration), "host": run.host}
    text = format_html(_("Run {run} has been running for {time} on {host}"), **words)
    parts = _progress_text(overview)
    text = format_html("{}: {}.", text, parts) if parts else format_html("{}.", text)
    waiting = activations_text(overview.n_waiting) if overview.n_waiting else ""
    notes = [_slower_than_usual_sentence(overview, duration), _next_run_if_still_running_sentence(overview), waiting]
    if run.stop_requested_at is not None:
        notes.insert(0, _("A stop was requested by %(name)s.") % {"name": run.stop_requester})
    return text, " ".join(filter(None, notes))


def _progress_text(overview: JobStatus) -> str:
    """“11,692 of 14,800, about 3 min left (09:44)”."""
    lease = overview.lease
    assert lease is not None
    total, done, expected = lease.total_parts, lease.total_parts_complete, overview.expected_duration
    found = estimate_end(
        lease.run.started_at, overview.now, total_parts=total, done_parts=done, expected_duration=expected
    )
    parts = (
        [_("%(done)s of %(total)s") % {"done": format_count(done or 0), "total": format_count(total)}] if total else []
    )
    end = found.end_by_progress or found.end_by_past_runs
    if end is not None and end > overview.now:
        words = {"left": short_duration(end - overview.now), "time": short_time(end, overview.now)}
        parts.append(_("about %(left)s left (%(time)s)") % words)
    return ", ".join(parts)


def _slower_than_usual_sentence(overview: JobStatus, duration: dt.timedelta) -> str:
    p95 = overview.state.p95
    return _("It is slower than 95 of 100 successful runs.") if p95 and duration.total_seconds() > p95 else ""


def _next_run_if_still_running_sentence(overview: JobStatus) -> str:
    """What happens to the next scheduled time if this run is still open then."""
    due = overview.next_run
    if due is None:
        return ""
    words = {"time": short_time(due, overview.now)}
    if overview.job.overlap == Overlap.SKIP:
        return _("The next run is due at %(time)s; if this run is still running then, the next one is skipped.") % words
    if overview.job.overlap == Overlap.REPLACE:
        return _("The next run is due at %(time)s; if this run is still running then, this run is stopped.") % words
    return _("The next run is due at %(time)s; if this run is still running then, the next one waits.") % words


def _queued_sentence_and_note(overview: JobStatus, run_number: SafeString) -> tuple[str | SafeString, str]:
    assert overview.lease is not None
    run = overview.lease.run
    words = {"run": run_number, "time": short_duration(overview.now - run.claimed_at)}
    return format_html(_("Run {run} has been queued for {time}."), **words), overview.why


def _failures_sentence(overview: JobStatus, last_run: Run | None) -> str:
    n = overview.state.failures
    text = ngettext("The last run failed", "%(n)d failures in a row", n) % {"n": n}
    if n > 1 and overview.state.failing_since is not None:
        text = _("%(text)s since %(time)s") % {
            "text": text, "time": short_time(overview.state.failing_since, overview.now),
        }  # fmt: skip
    error = masked_error_line_or_reason(last_run, overview.job.secrets) if last_run else ""
    return f"{text}: {error}" if error else f"{text}."


def _hold_sentence(overview: JobStatus, last_run: Run | None) -> str:
    error = (
        masked_error_line_or_reason(last_run, overview.job.secrets)
        if last_run and last_run.token == overview.state.held_by_run
        else ""
    )
    return f"{overview.why.rstrip('.')}: {error}" if error else overview.why


def masked_error_line_or_reason(run: Run, secrets: str) -> str:
    """The error line of a run, or its reason if it has no error line. The values of secrets are masked."""
    return mask_secrets(run.error_line or run.reason, secrets)


def _last_success_sentence(overview: JobStatus) -> str:
    if (at := overview.state.last_success_at) is None:
        return _("It has not run yet.") if overview.state.last_finished_at is None else _latest_run_sentence(overview)
    words = {"time": short_time(at, overview.now), "ago": relative(at, overview.now)}
    return _("The last successful run ended at %(time)s, %(ago)s.") % words


def _latest_run_sentence(overview: JobStatus) -> str:
    status = overview.last_status
    if status is None:
        return _("It has not run yet.")
    words = {"status": status.label, "time": short_time(overview.state.last_finished_at, overview.now)}
    return _("The latest run ended at %(time)s: %(status)s.") % words


def _next_run_sentence(overview: JobStatus) -> str:
    if overview.pause is not None:
        return str(overview.pause)
    if overview.job.frequency == Frequency.MANUAL:
        return _("It has no schedule; it is started by hand or by a trigger.")
    assert overview.next_run is not None  # a job without one is neither idle nor failing
    words = {"time": short_time(overview.next_run, overview.now), "in": relative(overview.next_run, overview.now)}
    return _("Next run: %(time)s, %(in)s.") % words


def _run_number_html(run: Run, *, is_linked: bool) -> SafeString:
    url = admin_url("chroniker_run_change", run.pk) if is_linked else ""
    return format_html('<a href="{}">{}</a>', url, run.token) if url else format_html("{}", run.token)
