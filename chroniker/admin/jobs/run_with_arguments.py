"""Run a job with other arguments, for this run only: the page that asks for them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls.resolvers import URLPattern
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chroniker.admin.jobs.run_and_stop_views import back_to_job
from chroniker.admin.shared import run_and_stop
from chroniker.admin.shared.console_page import page_path
from chroniker.exceptions import CommandRefused
from chroniker.job_commands import options
from chroniker.models import Job


class ArgumentsForm(forms.Form):
    args = forms.CharField(
        label=gettext_lazy("Arguments"),
        required=False,
        widget=forms.Textarea({"rows": 3, "spellcheck": "false", "class": "vLargeTextField", "autofocus": True}),
        help_text=gettext_lazy(
            "As on a command line. Used for this run and its retries only; the job's own arguments do not change."
        ),
    )

    def __init__(self, job: Job, data: object = None) -> None:
        super().__init__(data, initial={"args": job.args})  # type: ignore[arg-type]
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


def urls(job_admin: Any) -> list[URLPattern]:
    return [page_path(job_admin, "<int:object_id>/run-with/", run_with_view, "chroniker_job_run_with")]


def run_with_view(job_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    if not job_admin.has_run_with_permission(request):
        raise PermissionDenied
    job = get_object_or_404(Job, pk=object_id)
    return arguments_page(job_admin.admin_site, request, job) or back_to_job(job_admin, request, job)


def arguments_page(site: AdminSite, request: HttpRequest, job: Job) -> HttpResponse | None:
    """The page with the form; ``None`` if the run was claimed or is impossible, then go back to the job."""
    if not job.command:
        messages.error(request, _("Raw commands have no separate arguments; edit the command instead."))
        return None
    form = ArgumentsForm(job, request.POST if request.method == "POST" else None)
    if form.is_valid() and run_and_stop.run_job(request, job, form.cleaned_data["args"]):
        return None
    context = {
        **site.each_context(request),
        "title": _("Run with other arguments"),
        "subtitle": str(job),
        "opts": Job._meta,
        "original": job,
        "form": form,
    }
    return TemplateResponse(request, "admin/chroniker/job/run_with.html", context)
