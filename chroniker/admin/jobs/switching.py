"""The addresses behind the buttons “Enable” and “Disable…” of one job. “Disable…” asks first."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.html import format_html
from django.utils.translation import gettext as _

from chroniker.admin.jobs import action_confirmation
from chroniker.admin.jobs.run_and_stop_views import redirect_to_next_url_or_job_page
from chroniker.admin.shared.site_links import admin_url
from chroniker.models import Job


def enable_job_view(job_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    return _set_enabled(job_admin, request, object_id, enable=True)


def disable_job_view(job_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    return _set_enabled(job_admin, request, object_id, enable=False)


def _set_enabled(job_admin: Any, request: HttpRequest, object_id: int, *, enable: bool) -> HttpResponse:
    if not job_admin.has_change_permission(request):
        raise PermissionDenied
    job = get_object_or_404(Job, pk=object_id)
    if request.method != "POST":
        return redirect_to_next_url_or_job_page(job_admin, request, job)
    chosen = Job.objects.filter(pk=object_id)
    if not enable and (
        page := action_confirmation.confirmation_page_if_needed(
            job_admin, request, chosen, action_confirmation.DISABLE_QUESTION
        )
    ):
        return page
    changed = job_admin.set_enabled(request, chosen, enabled=enable)
    _add_enabled_or_disabled_message(request, job, changed=bool(changed), enable=enable)
    return redirect_to_next_url_or_job_page(job_admin, request, job)


def _add_enabled_or_disabled_message(request: HttpRequest, job: Job, *, changed: bool, enable: bool) -> None:
    texts = {
        (True, True): _("{job} was enabled."),
        (True, False): _("{job} was disabled. If it has an open run, the run continues."),
        (False, True): _("{job} is enabled already."),
        (False, False): _("{job} is disabled already."),
    }
    url = admin_url("chroniker_job_status", job.pk)
    link = format_html('<a href="{}">{}</a>', url, job.name) if url else job.name
    level = messages.SUCCESS if changed else messages.INFO
    messages.add_message(request, level, format_html(texts[changed, enable], job=link))
