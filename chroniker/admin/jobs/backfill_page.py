"""Run a job for past scheduled times: the form with its preview, and the job's backfills with their progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chroniker import lifecycle
from chroniker.admin.jobs import job_head
from chroniker.admin.jobs.form_times import use_time_zone
from chroniker.admin.shared.console_page import render_console_page
from chroniker.admin.shared.run_and_stop import log_job_action
from chroniker.admin.shared.site_links import admin_url, redirect_to
from chroniker.conf import settings
from chroniker.exceptions import BackfillRefused
from chroniker.models import Backfill, BackfillFailurePolicy, InstantSelection, Job
from chroniker.scheduler import backfilling
from chroniker.scheduler.backfilling import BackfillPreview, BackfillRequest
from chroniker.wording.formats import exact_time, format_count, full_time, short_duration

#: The largest number of scheduled times in a preview, and of backfills of the job, that the page shows.
MAX_PREVIEW_TIMES, MAX_BACKFILLS = 200, 20
FRAGMENT_TEMPLATES = {**job_head.FRAGMENT_TEMPLATES, "job-backfills": "chroniker/console/backfill/list.html"}
#: The state of a backfill as a code of ``chroniker.wording.states``.
BACKFILL_STATE_CODES = {
    "OPEN": "running",
    "DONE": "succeeded",
    "CANCELLED": "stopped",
    "FAILED": "failed",
    "ERROR": "schedule_error",
}


class BackfillForm(forms.Form):
    """The form. Its times are in the time zone of the job."""

    first = forms.DateTimeField(
        label=gettext_lazy("From"),
        widget=forms.DateTimeInput({"type": "datetime-local", "step": 1}, "%Y-%m-%dT%H:%M:%S"),
    )
    last = forms.DateTimeField(
        label=gettext_lazy("Until"),
        widget=forms.DateTimeInput({"type": "datetime-local", "step": 1}, "%Y-%m-%dT%H:%M:%S"),
        help_text=gettext_lazy("This time is included."),
    )
    which = forms.ChoiceField(
        label=gettext_lazy("Scheduled times"), choices=InstantSelection.choices, initial=InstantSelection.NOT_SUCCEEDED
    )
    include_unknown = forms.BooleanField(
        label=gettext_lazy("Include times without a record"),
        required=False,
        help_text=gettext_lazy("Times for which no run is stored: the run was deleted, or the job did not exist yet."),
    )
    on_failure = forms.ChoiceField(
        label=gettext_lazy("After a failure"),
        choices=BackfillFailurePolicy.choices,
        initial=BackfillFailurePolicy.GO_ON,
    )
    args = forms.CharField(
        label=gettext_lazy("Arguments"),
        required=False,
        widget=forms.Textarea({"rows": 2, "spellcheck": "false"}),
        help_text=gettext_lazy("For these runs only. Leave empty to use the job's own arguments."),
    )
    note = forms.CharField(label=gettext_lazy("Note"), required=False, max_length=500)

    def make_backfill_request(self, job: Job) -> BackfillRequest:
        data = self.cleaned_data
        chosen = {name: data[name] for name in ("first", "last", "which", "include_unknown", "on_failure", "note")}
        return BackfillRequest(job, args=data.get("args") or None, **chosen)


@dataclass(frozen=True, slots=True)
class BackfillRow:
    """One backfill of the job, for its page."""

    backfill: Backfill
    state: str
    range: str
    progress: str
    results: str
    may_cancel: bool
    may_retry: bool


def backfill_view(job_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    """The page. It needs the permissions to run jobs, and to view jobs and runs, because it shows both."""
    if not (job_admin.has_view_permission(request) and request.user.has_perm("chroniker.view_run")):
        raise PermissionDenied
    if not job_admin.has_run_permission(request):
        raise PermissionDenied
    overview = job_head.fetch_job_status_or_404(object_id)
    job = overview.job
    with use_time_zone(job.timezone):
        if request.method == "POST" and ("cancel" in request.POST or "cancel_and_stop" in request.POST):
            return _cancel_backfill(job_admin, request, job)
        if request.method == "POST" and "retry_now" in request.POST:
            return _retry_backfill_now(request, job)
        form, found = _make_backfill_form(job_admin, request, job), None
        if request.method == "POST" and form.is_valid():
            try:
                if "preview" not in request.POST:
                    return _request_backfill(request, job, form.make_backfill_request(job))
                found = backfilling.preview_backfill(form.make_backfill_request(job))
            except BackfillRefused as refusal:
                form.add_error(None, str(refusal))
        context = {
            **job_head.job_head_context(job_admin, request, overview, "backfill"),
            "title": _("Backfill"),
            "console_trail": [(job.name, admin_url("chroniker_job_status", job.pk))],
            "form": form,
            "zone": job.timezone,
            "rows": backfill_rows(job),
            **(_preview_context(found, form.make_backfill_request(job)) if found is not None else {}),
        }
        template = "chroniker/console/backfill/page.html"
        return render_console_page(job_admin.admin_site, request, template, "jobs", context, FRAGMENT_TEMPLATES)


def _make_backfill_form(job_admin: Any, request: HttpRequest, job: Job) -> BackfillForm:
    """The form. ``?from=…&until=…``: the initial values of its time range."""
    given = {"first": request.GET.get("from"), "last": request.GET.get("until")}
    form = BackfillForm(request.POST if request.method == "POST" else None, initial=given)
    if not (job.command and job_admin.has_run_with_arguments_permission(request)):
        del form.fields["args"]
    return form


def _request_backfill(request: HttpRequest, job: Job, backfill_request: BackfillRequest) -> HttpResponse:
    made = backfilling.request_backfill(backfill_request, request.user.get_username())
    log_job_action(request, [job], _("Backfill requested; number of runs: %(planned)d.") % {"planned": made.planned})
    messages.success(
        request,
        _("The backfill was requested (number of runs: %(n)s). It can start at the next tick.") % {"n": made.planned},
    )
    return redirect_to("chroniker_job_backfill", job.pk)


def _cancel_backfill(job_admin: Any, request: HttpRequest, job: Job) -> HttpResponse:
    stops = "cancel_and_stop" in request.POST
    if stops and not job_admin.has_stop_permission(request):
        raise PermissionDenied
    pk = _read_backfill_id(request, "cancel_and_stop" if stops else "cancel", job)
    if backfilling.cancel_backfill(pk, request.user.get_username(), stop_run=stops):
        log_job_action(request, [job], _("Backfill cancelled."))
        messages.success(request, _("The backfill was cancelled; no further run of it starts."))
    else:
        messages.info(request, _("The backfill has ended already."))
    return redirect_to("chroniker_job_backfill", job.pk)


def _retry_backfill_now(request: HttpRequest, job: Job) -> HttpResponse:
    pk = _read_backfill_id(request, "retry_now", job)
    with transaction.atomic(using=settings.database):
        changed = lifecycle.make_backfill_retry_due_now(pk)
        if changed:
            log_job_action(request, [job], _("Retry moved to the current time."))
    if changed:
        messages.success(request, _("“%(job)s” is retried by the next tick.") % {"job": job})
    else:
        messages.info(request, _("“%(job)s” has no pending retry, or its retry is already due.") % {"job": job})
    return redirect_to("chroniker_job_backfill", job.pk)


def _read_backfill_id(request: HttpRequest, button_name: str, job: Job) -> UUID:
    """The id of the backfill in the value of the button. Raises ``PermissionDenied`` if it is not of this job."""
    try:
        pk = UUID(request.POST[button_name])
    except ValueError:
        pk = UUID(int=0)
    if not Backfill.objects.filter(pk=pk, job=job).exists():
        raise PermissionDenied
    return pk


def _preview_context(preview: BackfillPreview, backfill_request: BackfillRequest) -> dict[str, Any]:
    length = short_duration(preview.expected_total_seconds) if preview.expected_total_seconds else ""
    return {
        "preview": [
            (full_time(each.instant), each.result.label, backfill_request.includes_instant(each))
            for each in preview.instants_with_results[:MAX_PREVIEW_TIMES]
        ],
        "preview_more": max(0, len(preview.instants_with_results) - MAX_PREVIEW_TIMES),
        "preview_planned": format_count(preview.planned),
        "preview_total": format_count(len(preview.instants_with_results)),
        "preview_length": length,
    }


def backfill_rows(job: Job) -> list[BackfillRow]:
    """The newest backfills of the job. One statement."""
    rows = Backfill.objects.filter(job=job).order_by("-created_at")[:MAX_BACKFILLS]
    return [
        BackfillRow(
            row,
            BACKFILL_STATE_CODES[row.condition],
            _("%(first)s to %(last)s") % {"first": exact_time(row.first), "last": exact_time(row.last)},
            _("%(made)s of %(planned)s") % {"made": format_count(row.made), "planned": format_count(row.planned)},
            _("%(good)s succeeded, %(bad)s failed")
            % {"good": format_count(row.succeeded), "bad": format_count(row.failed)},
            row.is_open,
            row.is_open and row.attempt > 0,
        )
        for row in rows
    ]
