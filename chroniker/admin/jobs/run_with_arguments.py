"""Run a job with other arguments, for this run only: the page that asks for them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chroniker.admin.jobs.run_and_stop_views import redirect_to_next_url_or_job_page
from chroniker.admin.shared import run_and_stop
from chroniker.admin.shared.console_page import render_console_page
from chroniker.admin.shared.site_links import admin_url, redirect_to
from chroniker.exceptions import CommandRefused
from chroniker.job_commands import options
from chroniker.models import Job, Run


class ArgumentsForm(forms.Form):
    args = forms.CharField(
        label=gettext_lazy("Arguments"),
        required=False,
        widget=forms.Textarea({"rows": 3, "spellcheck": "false", "class": "vLargeTextField", "autofocus": True}),
        help_text=gettext_lazy(
            "As on a command line. Used for this run and its retries only; the job's own arguments do not change."
        ),
    )

    def __init__(self, job: Job, data: object, args: str) -> None:
        super().__init__(data, initial={"args": args})  # type: ignore[arg-type]
        self._job = job

    def clean_args(self) -> str:
        args: str = self.cleaned_data["args"]
        try:
            error = options.argument_error(self._job.command, args)
        except CommandRefused as refusal:
            raise forms.ValidationError(str(refusal)) from None
        if error:
            raise forms.ValidationError(error)
        return args


def run_with_arguments_view(job_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    if not job_admin.has_run_with_arguments_permission(request):
        raise PermissionDenied
    job = get_object_or_404(Job, pk=object_id)
    return run_job_or_render_arguments_page(job_admin.admin_site, request, job) or redirect_to_next_url_or_job_page(
        job_admin, request, job
    )


def run_job_or_render_arguments_page(site: AdminSite, request: HttpRequest, job: Job) -> HttpResponse | None:
    """The page with the form; ``None`` if a run was claimed, or if the job takes no arguments.

    ``?run=ID``: the form first shows the arguments of that run, and then redirects to the new run.
    """
    if not job.command:
        messages.error(request, _("Raw commands have no separate arguments; edit the command instead."))
        return None
    again = _fetch_run_to_repeat(request, job)
    args = job.args if again is None or again.args is None else again.args
    form = ArgumentsForm(job, request.POST if request.method == "POST" else None, args)
    if form.is_valid() and (run := run_and_stop.run_job(request, job, form.cleaned_data["args"])):
        may_view = again is not None and request.user.has_perm("chroniker.view_run")
        return redirect_to("chroniker_run_change", run.pk) if may_view else None
    back = admin_url("chroniker_job_status", job.pk)
    context = {
        "title": _("Run with other arguments"),
        "console_trail": [(str(job), back)],
        "original": job,
        "form": form,
        "back": back,
    }
    return render_console_page(site, request, "admin/chroniker/job/run_with.html", "jobs", context)


def _fetch_run_to_repeat(request: HttpRequest, job: Job) -> Run | None:
    try:
        return Run.objects.filter(pk=UUID(request.GET.get("run", "")), job=job).only("args").first()
    except ValueError:
        return None
