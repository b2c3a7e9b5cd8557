"""The sentence on a run's page: what happened, with notes on what follows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker.admin.runs.queued_cause import explain_queued_run
from chroniker.admin.shared.site_links import admin_url
from chroniker.insights.durations import EndEstimate, estimate_end
from chroniker.insights.run_details import RunDetails
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.models import EVERY_HOST, Run, Status
from chroniker.reasons import Code
from chroniker.wording.exit_status import exit_status_in_words
from chroniker.wording.formats import NO_VALUE_TEXT, exact_time, format_count, short_duration, short_time
from chroniker.wording.states import state

#: Reason codes that give no more information than the exit status.
_EXIT_STATUS_REASON_CODES = {
    "",
    Code.EXIT,
    Code.NOT_EXECUTABLE,
    Code.NOT_FOUND,
    Code.EXIT_SIGNAL,
    Code.SIGNAL,
    Code.SIGNAL_NUMBER,
}


@dataclass(frozen=True, slots=True)
class RunSentence:
    """``text``: what happened. ``notes``: what follows, in smaller letters."""

    text: SafeString | str
    notes: list[SafeString | str] = field(default_factory=list)
    tone: str = "idle"


def describe_run(details: RunDetails) -> RunSentence:
    tone = state(details.run.status).tone
    status = Status(details.run.status)
    if status == Status.CLAIMED:
        cause = explain_queued_run(details)
        return RunSentence(cause.text, [*cause.notes, *_stop_request_notes(details.run)], tone)
    if status == Status.RUNNING:
        return RunSentence(
            _running_sentence(details), [*_time_limit_notes(details), *_stop_request_notes(details.run)], tone
        )
    return RunSentence(
        _end_sentence(details),
        [*_attempt_notes(details), *_same_error_notes(details), *_usual_duration_notes(details)],
        tone,
    )


def estimate_run_end(details: RunDetails) -> EndEstimate:
    """The rate of a run. If it is running: also its estimated end, by its progress and by past runs."""
    held = details.lease or details.run
    usual = dt.timedelta(seconds=details.state.p50) if details.state.p50 else None
    total, done = held.total_parts, held.total_parts_complete
    at = details.run.finished_at or details.now
    return estimate_end(details.run.started_at, at, total_parts=total, done_parts=done, expected_duration=usual)


def masked_reason(run: Run) -> str:
    """The stored reason, without the values of secrets."""
    return mask_secrets(run.reason, run.job.secrets)


def masked_error_line(run: Run) -> str:
    return mask_secrets(run.error_line, run.job.secrets)


def duration_text(run: Run) -> str:
    if run.started_at is None or run.finished_at is None:
        return ""
    return short_duration(run.finished_at - run.started_at)


def _running_sentence(details: RunDetails) -> str:
    run = details.run
    words = {"time": short_duration(details.now - (run.started_at or details.now)), "host": run.host or NO_VALUE_TEXT}
    if run.required_host == EVERY_HOST:
        return _("It has been running for %(time)s on every host.") % words
    found = estimate_run_end(details)
    ends = found.end_by_progress or found.end_by_past_runs
    if ends is None or ends <= details.now:
        return _("It has been running for %(time)s on %(host)s.") % words
    words["left"] = short_duration(ends - details.now)
    return _("It has been running for %(time)s on %(host)s, and needs about %(left)s more.") % words


def _time_limit_notes(details: RunDetails) -> list[str]:
    run, found = details.run, []
    since = run.started_at or details.now
    if details.state.p95 and (details.now - since).total_seconds() > details.state.p95:
        found.append(_("It is slower than 95 of 100 runs of this job."))
    if run.job.timeout_seconds:
        limit = since + dt.timedelta(seconds=run.job.timeout_seconds)
        words = {
            "left": short_duration(max(limit - details.now, dt.timedelta())),
            "time": exact_time(limit, details.now),
        }
        found.append(_("Timeout in %(left)s, at %(time)s.") % words)
    return found


def _stop_request_notes(run: Run) -> list[str]:
    if run.stop_requested_at is None:
        return []
    words = {"who": run.stop_requester, "time": exact_time(run.stop_requested_at)}
    return [_("Stop requested by %(who)s at %(time)s.") % words]


def _end_sentence(details: RunDetails) -> SafeString | str:
    run = details.run
    words = {
        "time": duration_text(run),
        "host": run.host or NO_VALUE_TEXT,
        "reason": masked_reason(run),
        "who": run.stop_requester,
    }
    if run.status == Status.SKIPPED:
        return _("It did not run. %(reason)s") % words
    if run.status == Status.LOST:
        return _("It was lost. %(reason)s") % {"reason": words["reason"][:1].upper() + words["reason"][1:]}
    if run.status == Status.STOPPED:
        return _stopped_sentence(run, words)
    if run.status == Status.TIMED_OUT:
        return _("It was stopped after %(time)s on %(host)s: it ran longer than its timeout.") % words
    if run.status == Status.SUCCEEDED:
        return _("It succeeded after %(time)s on %(host)s.") % words if run.started_at else _("It succeeded.")
    return _failed_sentence(run, words)


def _stopped_sentence(run: Run, words: dict[str, str]) -> str:
    if run.started_at is None:
        return (
            _("%(who)s cancelled it before it started.") % words if words["who"] else _("Cancelled before it started.")
        )
    if words["who"]:
        return _("Stopped by %(who)s after %(time)s on %(host)s.") % words
    return _("Stopped after %(time)s on %(host)s: %(reason)s") % words


def _failed_sentence(run: Run, words: dict[str, str]) -> SafeString | str:
    if not run.started_at:
        return _("It failed: %(reason)s") % words
    words["exit"] = exit_status_in_words(run.exit_code)
    if run.exit_code in (None, 0) or run.code not in _EXIT_STATUS_REASON_CODES:
        text = _("It failed after %(time)s on %(host)s: %(reason)s") % words
    else:
        text = _("It failed after %(time)s on %(host)s with %(exit)s") % words
    line = masked_error_line(run)
    return format_html("{}: <code>{}</code>", text.rstrip("."), line) if line else f"{text.rstrip('.')}."


def _attempt_notes(details: RunDetails) -> list[SafeString | str]:
    """“Attempt 1 of 2. The retry, run 1478, failed too.”"""
    run, job = details.run, details.run.job
    if run.status in (Status.SKIPPED, Status.SUCCEEDED) and run.attempt == 1:
        return []
    found: list[SafeString | str] = []
    if run.attempt > 1 or job.max_retries:
        words = {"n": run.attempt, "all": max(job.max_retries + 1, run.attempt)}
        found.append(_("Attempt %(n)d of %(all)d.") % words)
    if (retry := details.retry) is not None:
        found.append(_retry_note(retry))
    elif details.is_last_of_job and details.state.retry_at is not None:
        found.append(_("A retry is booked for %(time)s.") % {"time": exact_time(details.state.retry_at, details.now)})
    return found


def _retry_note(retry: Run) -> SafeString:
    texts = {
        Status.SUCCEEDED: _("The retry, {run}, succeeded."),
        Status.FAILED: _("The retry, {run}, failed too."),
        Status.TIMED_OUT: _("The retry, {run}, timed out."),
        Status.LOST: _("The retry, {run}, was lost."),
        Status.STOPPED: _("The retry, {run}, was stopped."),
        Status.RUNNING: _("The retry, {run}, is running."),
    }
    return format_html(texts.get(Status(retry.status), _("The retry, {run}, is queued.")), run=run_link(retry))


def run_link(run: Run) -> SafeString:
    """“run 12”, as a link if this site has the page of runs."""
    text, url = _("run %(token)d") % {"token": run.token}, admin_url("chroniker_run_change", run.pk)
    return format_html('<a href="{}">{}</a>', url, text) if url else format_html("{}", text)


def _same_error_notes(details: RunDetails) -> list[str]:
    if not details.same_error_count:
        return []
    text = ngettext(
        "The same error ended %(n)s other run in the 7 days before this run or later.", 
            "The same error ended %(n)s other runs in the 7 days before this run or later."
        ,
        details.same_error_count,
    )  # fmt: skip
    return [text % {"n": format_count(details.same_error_count)}]


def _usual_duration_notes(details: RunDetails) -> list[str]:
    if details.state.p50 is None or details.run.status not in (Status.SUCCEEDED, Status.TIMED_OUT):
        return []
    return [_("Usually a run takes %(time)s.") % {"time": short_duration(details.state.p50)}]


def covered_times_text(run: Run) -> str:
    """“and all scheduled times until 09:41”; empty if the run covers only one."""
    if run.covered_until is None or run.covered_until == run.scheduled_for:
        return ""
    return _("and all scheduled times until %(time)s") % {"time": short_time(run.covered_until)}
