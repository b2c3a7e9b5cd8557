"""The tables of a run's page: its attempts, its hosts, and its details."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import NamedTuple

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from chroniker.admin.runs.run_sentence import covered_times_text, duration_text
from chroniker.admin.shared.site_links import admin_url, job_url
from chroniker.insights.run_details import RunDetails
from chroniker.job_commands import hand_over
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.models import OPEN_STATUSES, Run, Status, Trigger
from chroniker.wording.badges import command_line_html
from chroniker.wording.exit_status import exit_status_in_words
from chroniker.wording.formats import NO_VALUE_TEXT, exact_time, format_count, number_of_times_in_words, short_duration


class RunTableRow(NamedTuple):
    """A run as a row of a table: an attempt, or the run of one host."""

    run: Run
    name: str
    url: str  #: empty for the run of this page
    took: str
    why: str


def attempt_rows(details: RunDetails) -> list[RunTableRow]:
    """The rows of all attempts; empty if there is one attempt and the job has no retries."""
    if len(details.attempts) < 2 and not details.run.job.max_retries:
        return []
    return [
        RunTableRow(
            each,
            str(each.attempt),
            _run_url(each) if each.pk != details.run.pk else "",
            duration_text(each),
            _reason_text(each, details),
        )
        for each in details.attempts
    ]


def host_run_rows(details: RunDetails) -> list[RunTableRow]:
    return [
        RunTableRow(each, each.required_host, _run_url(each), duration_text(each), _reason_text(each, details))
        for each in details.host_runs
    ]


def run_detail_rows(
    details: RunDetails, has_permission: Callable[[str], bool], celery_result_url: str | None
) -> list[tuple[str, SafeString | str]]:
    """The label and the value of each known detail. ``has_permission``: the result of ``make_permission_check``."""
    run = details.run
    found = [
        (_("Job"), _job_and_run_number_html(run, is_linked=has_permission("view_job"))),
        (_("Started by"), _started_by_text(run)),
        (_("Caused by"), _causing_run_link(run)),
        (_("Scheduled time"), _scheduled_times_text(run)),
        (_("Command"), _command_html_with_notes(run)),
        (_("Result"), hand_over.hand_over_note(run.job.command, run.job.args if run.args is None else run.args)),
        (_("Queue, worker"), _queue_worker_process_html(run, is_linked=has_permission("view_host"))),
        (_("For host"), _("every live host") if run.required_host == "*" else run.required_host),
        (_("Part of"), _parent_run_link(run)),
        (
            _("Celery task"),
            format_html('<a href="{}"><code>{}</code></a>', celery_result_url, run.pk) if celery_result_url else "",
        ),
        (_("ID"), "" if celery_result_url else format_html("<code>{}</code>", run.pk)),
        (_("Sent to executor"), _dispatch_text(run)),
        (_("Release"), run.release),
        (_("Lease"), _lease_text(details)),
        (_("Memory, CPU"), _memory_and_cpu_text(run)),
        (_("Needs attention"), "" if run.attention_count is None else format_count(run.attention_count)),
        (_("Messages"), _message_counts_link(details, is_linked=has_permission("view_outbox"))),
        (_("Stop requested"), _stop_request_text(run)),
    ]
    return [(label, value) for label, value in found if value]


def _run_url(run: Run) -> str:
    return admin_url("chroniker_run_change", run.pk)


def _reason_text(run: Run, details: RunDetails) -> str:
    """The reason. Without one, the exit status if the run ended badly."""
    ended_well = run.status in (Status.SUCCEEDED, *OPEN_STATUSES)
    return mask_secrets(
        run.reason or ("" if ended_well else exit_status_in_words(run.exit_code)), details.run.job.secrets
    )


def _job_and_run_number_html(run: Run, *, is_linked: bool) -> SafeString:
    url = job_url(run.job_id) if is_linked else ""
    name = format_html('<a href="{}">{}</a>', url, run.job.name) if url else format_html("{}", run.job.name)
    return format_html(_("{job}, run {token}"), job=name, token=str(run.token))


def _started_by_text(run: Run) -> str:
    """“schedule, due 08:30:00”, “a person: admin”, “retry, attempt 2”."""
    if run.trigger == Trigger.SCHEDULE and run.scheduled_for is not None:
        text = _("schedule, due %(time)s") % {"time": exact_time(run.scheduled_for)}
        return f"{text} {covered_times_text(run)}".rstrip()
    if run.trigger == Trigger.RETRY:
        return _("retry, attempt %(n)d") % {"n": run.attempt}
    if run.trigger == Trigger.BACKFILL:
        words = {"time": exact_time(run.instant), "who": run.asked_by or _("a program")}
        return _("backfill for %(time)s, requested by %(who)s") % words
    word = str(Trigger(run.trigger).label)
    return f"{word}: {run.asked_by}" if run.asked_by else word


def _causing_run_link(run: Run) -> SafeString | str:
    """The run whose end triggered this run, or the first attempt. If that run was deleted: its id."""
    if run.cause is None:
        return ""
    facts = run.__dict__
    if facts["cause_token"] is None:
        return format_html(_("a run that was deleted: {id}"), id=str(run.cause))
    text = _("%(job)s, run %(token)d") % {"job": facts["cause_job"], "token": facts["cause_token"]}
    url = admin_url("chroniker_run_change", run.cause)
    return format_html('<a href="{}">{}</a>', url, text) if url else text


def _scheduled_times_text(run: Run) -> str:
    """The scheduled times that a run without its own scheduled time is for. An example is a retry.

    Empty for other runs: “Started by” shows their scheduled time.
    """
    if run.instant is None or run.instant_until is None or run.scheduled_for is not None:
        return ""
    if run.instant_until == run.instant:
        return exact_time(run.instant)
    return _("%(first)s to %(last)s") % {"first": exact_time(run.instant), "last": exact_time(run.instant_until)}


def _command_html_with_notes(run: Run) -> SafeString | str:
    """The command line that was started. Before the start: the present command line of the job."""
    job = run.job
    if run.argv:
        text = shlex.join(map(str, run.argv))
    elif job.command:
        text = f"manage.py {job.command} {job.args if run.args is None else run.args}".rstrip()
    else:
        text = job.raw_command
    shown = format_html("<code>{}</code>", command_line_html(mask_secrets(text, job.secrets)))
    notes = []
    if run.args is not None:
        notes.append(_("arguments for this run only"))
    if not run.argv and run.status != Status.CLAIMED:
        notes.append(_("the current command of the job"))
    return format_html("{} <small>{}</small>", shown, ", ".join(notes)) if notes else shown


def _queue_worker_process_html(run: Run, *, is_linked: bool) -> SafeString | str:
    fleet = admin_url("chroniker_host_changelist") if is_linked else ""
    names = [name for name in (run.queue, run.worker or run.host) if name]
    linked = (
        format_html_join(", ", '<a href="{}">{}</a>', ((fleet, name) for name in names)) if fleet else ", ".join(names)
    )
    if run.pid is None:
        return linked
    return format_html("{}, {}", linked or NO_VALUE_TEXT, _("process %(pid)d") % {"pid": run.pid})


def _parent_run_link(run: Run) -> SafeString | str:
    if run.parent_id is None or run.parent is None:
        return ""
    text = _("run %(token)d on every host") % {"token": run.parent.token}
    url = admin_url("chroniker_run_change", run.parent_id)
    return format_html('<a href="{}">{}</a>', url, text) if url else text


def _dispatch_text(run: Run) -> str:
    if run.dispatched_at is None:
        return ""
    words = {"time": exact_time(run.dispatched_at), "times": number_of_times_in_words(run.dispatch_count)}
    return _("%(time)s, %(times)s") % words if run.dispatch_count > 1 else words["time"]


def _lease_text(details: RunDetails) -> str:
    if details.lease is None or details.lease.nonce is None:
        return ""
    return _("expires at %(time)s, unless it is renewed") % {"time": exact_time(details.lease.expires_at, details.now)}


def _memory_and_cpu_text(run: Run) -> str:
    found = []
    if run.max_rss_kb is not None:
        found.append(_("peak %(n)s MB") % {"n": format_count(round(run.max_rss_kb / 1024))})
    if run.cpu_seconds is not None:
        found.append(_("%(time)s of CPU") % {"time": short_duration(run.cpu_seconds)})
    return ", ".join(found)


def _message_counts_link(details: RunDetails, *, is_linked: bool) -> SafeString | str:
    if not details.messages:
        return ""
    url = admin_url("chroniker_outbox_changelist") if is_linked else ""
    names = ", ".join(sorted({message.channel.partition(":")[0] for message in details.messages}))
    sent = [message.sent_at for message in details.messages if message.sent_at is not None]
    words = {"n": len(details.messages), "sent": len(sent), "names": names}
    text = _("%(sent)d of %(n)d sent (%(names)s)") % words
    return format_html('<a href="{}?q={}">{}</a>', url, details.run.pk, text) if url else text


def _stop_request_text(run: Run) -> str:
    if run.stop_requested_at is None:
        return ""
    return _("by %(who)s at %(time)s") % {"who": run.stop_requester, "time": exact_time(run.stop_requested_at)}
