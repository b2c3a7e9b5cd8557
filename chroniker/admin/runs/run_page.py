"""The page of one run: what happened, how its time was spent, its output, attempts and events, and its buttons."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.apps import apps
from django.contrib.admin.utils import unquote
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from chroniker.admin.runs import output_lines, run_details, run_events, run_times
from chroniker.admin.runs.run_sentence import describe_run, estimate_run_end
from chroniker.admin.shared.console_bar import make_permission_check
from chroniker.admin.shared.console_page import render_console_page
from chroniker.admin.shared.json_view import json_view
from chroniker.admin.shared.live_page import read_etag_of_refresh_request
from chroniker.admin.shared.site_links import admin_url, job_url
from chroniker.insights.run_details import RunDetails, fetch_run_details
from chroniker.models import EVERY_HOST, OPEN_STATUSES, Run, Status
from chroniker.reasons import Code
from chroniker.wording.formats import exact_time, format_count, percent, rate_in_words, relative, short_duration

#: After the end of a run, the page looks for more output for this time. A worker stores its last output after the
#: outcome.
LATE_OUTPUT_WAIT_TIME = dt.timedelta(minutes=2)
#: The number of output lines that the page contains before a script loads more.
INITIAL_LINE_COUNT = 200
#: The parameter of a refresh. Its value is a place in the output; the answer also has the lines after this place.
OUTPUT_AFTER_PARAMETER = "_after"
FRAGMENT_TEMPLATES = {
    f"run-{name}": f"chroniker/console/run/{name}.html"
    for name in (
        "state",
        "actions",
        "say",
        "times",
        "progress",
        "attempts",
        "hosts",
        "events",
        "details",
        "amount",
        "hint",
    )
}


def run_page_view(run_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    if request.method not in ("GET", "HEAD") or not run_admin.has_view_permission(request):
        raise PermissionDenied  # a run cannot be edited
    details = _fetch_run_details_or_404(object_id)
    context = {**_run_context(run_admin, request, details), **_output_context(request, details)}
    context["live_seconds"] = _refresh_seconds(details)
    template, more = "chroniker/console/run/page.html", _fetch_new_output_lines(request, details.run)
    return render_console_page(run_admin.admin_site, request, template, "runs", context, FRAGMENT_TEMPLATES, more)


def _refresh_seconds(details: RunDetails) -> int:
    """Seconds between two refreshes."""
    if details.run.status == Status.RUNNING:
        return 1
    return 5 if details.run.status in OPEN_STATUSES or _may_still_get_output(details) else 60


def _fetch_new_output_lines(request: HttpRequest, run: Run) -> dict[str, Any] | None:
    """The lines after a place, for the refresh of a page that follows the output: ``?_after=PLACE``."""
    place = request.GET.get(OUTPUT_AFTER_PARAMETER)
    if read_etag_of_refresh_request(request) is None or not place:
        return None
    found = output_lines.answer_output_query(run.pk, QueryDict(urlencode({"after": place})))
    is_open = run.status in OPEN_STATUSES
    return {"output": {**found, "open": is_open}} if found["html"] or not is_open else None


@json_view
def output_lines_view(run_admin: Any, request: HttpRequest, object_id: UUID) -> dict[str, Any]:
    """Lines of the output, or the numbers of lines that contain a text. See ``output_lines.answer_output_query``."""
    del run_admin
    run = Run.objects.filter(pk=object_id).only("status", "finished_at").first()
    if run is None:
        raise Http404
    return {**output_lines.answer_output_query(run.pk, request.GET), "open": run.status in OPEN_STATUSES}


def _fetch_run_details_or_404(object_id: str) -> RunDetails:
    try:
        details = fetch_run_details(UUID(unquote(object_id)))
    except ValueError:
        details = None
    if details is None:
        raise Http404
    return details


def _run_context(run_admin: Any, request: HttpRequest, details: RunDetails) -> dict[str, Any]:
    run, has_permission = details.run, make_permission_check(request)
    return {
        "title": _("%(job)s, run %(token)d") % {"job": run.job.name, "token": run.token},
        "console_trail": [(run.job.name, job_url(run.job_id) if has_permission("view_job") else "")],
        "run": run,
        "now": details.now,
        "state_code": _state_code(run),
        "lead": _due_or_claim_time_text(run),
        "say": describe_run(details),
        "bar_of_time": run_times.draw_time_bar(details),
        "progress": _progress_context(details),
        "attempts": run_details.attempt_rows(details),
        "hosts": run_details.host_run_rows(details),
        "events": run_events.event_rows(details),
        "details": run_details.run_detail_rows(details, has_permission, _celery_result_url(request, run)),
        **_action_urls(request, details),
    }


def _state_code(run: Run) -> str:
    is_stopping = run.status == Status.RUNNING and run.stop_requested_at is not None
    return "stopping" if is_stopping else str(run.status)


def _due_or_claim_time_text(run: Run) -> str:
    """“Tue 24 Nov, due 08:30:00”."""
    moment = localtime(run.scheduled_for or run.claimed_at)
    words = {"day": date_format(moment, "D j N Y"), "time": f"{moment:%H:%M:%S}"}
    return (_("%(day)s, due %(time)s") if run.scheduled_for else _("%(day)s, claimed %(time)s")) % words


def _action_urls(request: HttpRequest, details: RunDetails) -> dict[str, Any]:
    """The addresses of the buttons; empty if the user may not use a button, or if it would do nothing."""
    run, user = details.run, request.user
    is_open, may_run = run.status in OPEN_STATUSES, user.has_perm("chroniker.run_job")
    again = admin_url("chroniker_run_again", run.pk) if may_run and not is_open else ""
    has_retry = may_run and run.chain is not None and details.state.retry_of == run.chain
    with_arguments = again and run.job.command and user.has_perm("chroniker.change_job")
    return {
        "is_open": is_open,
        "stop_url": admin_url("chroniker_run_stop", run.pk) if is_open and user.has_perm("chroniker.stop_job") else "",
        "again_url": again,
        "retry_now_url": admin_url("chroniker_job_retry_now", run.job_id) if has_retry else "",
        "cancel_retry_url": admin_url("chroniker_job_cancel_retry", run.job_id) if has_retry else "",
        "with_arguments_url": admin_url("chroniker_job_run_with", run.job_id) if with_arguments else "",
        "previous": details.previous,
        "previous_url": admin_url("chroniker_run_change", details.previous.pk) if details.previous else "",
        "next": details.next,
        "next_url": admin_url("chroniker_run_change", details.next.pk) if details.next else "",
    }


def _progress_context(details: RunDetails) -> dict[str, Any] | None:
    """“11,692 of 14,800 (79 %), 17.4 per second”, and the estimated end. ``None`` if the run reported no progress."""
    run, held = details.run, details.lease or details.run
    total, done = held.total_parts, held.total_parts_complete
    if not total or total <= 0 or run.status == Status.SKIPPED:
        return None
    done = min(done or 0, total)
    guess = estimate_run_end(details)
    words = {"done": format_count(done), "total": format_count(total), "percent": percent(done, total)}
    text = (
        _("%(done)s of %(total)s hosts")
        if run.required_host == EVERY_HOST
        else _("%(done)s of %(total)s (%(percent)s)")
    )
    texts, notes = [text % words], []
    if guess.parts_per_second is not None:
        texts.append(rate_in_words(guess.parts_per_second))
    if run.status == Status.RUNNING and guess.end_by_progress is not None and guess.end_by_progress > details.now:
        left = relative(guess.end_by_progress, details.now)
        notes.append(
            _("ends %(left)s, %(time)s") % {"left": left, "time": exact_time(guess.end_by_progress, details.now)}
        )
    if details.state.p50 is not None:
        notes.append(_("usually a run takes %(time)s") % {"time": short_duration(details.state.p50)})
    return {"done": done, "total": total, "text": ", ".join(texts), "note": ", ".join(notes)}


def _output_context(request: HttpRequest, details: RunDetails) -> dict[str, Any]:
    """The last lines of output, or the lines that the address asks for. A refresh does not read them."""
    run = details.run
    found = {
        "output_url": admin_url("chroniker_run_output", run.pk),
        "log_url": admin_url("chroniker_run_log", run.pk),
        "output_grows": run.status in OPEN_STATUSES or _may_still_get_output(details),
        "missing": _missing_output_text(details),
        "output_hint": _no_output_text(run),
    }
    if read_etag_of_refresh_request(request) is not None:
        return found
    try:
        view, target = output_lines.fetch_output_view_for_query(run.pk, request.GET, INITIAL_LINE_COUNT)
    except ValueError:
        raise BadRequest("after and before must be places, at a number.") from None
    html, amount = output_lines.lines_as_html(view.lines), output_lines.line_count_text(view)
    return {**found, "view": view, "lines": html, "amount": amount, "target": target}


def _may_still_get_output(details: RunDetails) -> bool:
    return details.run.finished_at is not None and details.now - details.run.finished_at < LATE_OUTPUT_WAIT_TIME


def _no_output_text(run: Run) -> str:
    """The text that is shown if there are no lines."""
    if run.status == Status.CLAIMED:
        return _("No output: the run has not started yet. This page shows the output as soon as there is some.")
    if run.status == Status.RUNNING:
        return _("No output yet.")
    if not (run.job.log_stdout or run.job.log_stderr):
        return _("Output is not kept for this job.")
    return (
        _("The run wrote no output.")
        if run.started_at is not None
        else _("The run did not start, so there is no output.")
    )


def _missing_output_text(details: RunDetails) -> str:
    """A sentence that says whether output is missing. Empty if the run is open, or if it did not start."""
    if details.run.status in OPEN_STATUSES or details.run.started_at is None:
        return ""
    lost = {Code.OUTPUT_MISSING, Code.OUTPUT_UNSTORED} & {event.code for event in details.events}
    return _("The end of the output may be missing.") if lost else _("There is no sign that output is missing.")


def _celery_result_url(request: HttpRequest, run: Run) -> str | None:
    """The address of the task's result in django-celery-results: the id of the task is the id of the run."""
    if not apps.is_installed("django_celery_results"):
        return None
    if not request.user.has_perm("django_celery_results.view_taskresult"):
        return None
    results = admin_url("django_celery_results_taskresult_changelist")
    return f"{results}?task_id__exact={run.pk}" if results else None
