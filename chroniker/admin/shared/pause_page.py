"""The page with the form that pauses or resumes all jobs or a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from chroniker.admin.shared import audit_rows
from chroniker.admin.shared.console_bar import make_permission_check
from chroniker.admin.shared.console_page import render_console_page
from chroniker.admin.shared.site_links import admin_url_if_viewable
from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.eligibility import pauses
from chroniker.insights import current_work
from chroniker.models import Group, Switch
from chroniker.wording.formats import relative, short_time

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class PauseReasonForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=500,
        widget=forms.TextInput({"class": "vTextField", "autofocus": True}),
        help_text=gettext_lazy("Shown to other users, together with your name."),
    )


def pause_all_jobs_view(job_admin: Any, request: HttpRequest) -> HttpResponse:
    """Pause or resume all jobs, also those that the list does not show."""
    return _pause_page(job_admin.admin_site, request, None, admin_url_if_viewable("chroniker_job_now"))


def pause_group_view(group_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    group = get_object_or_404(Group, pk=object_id)
    return _pause_page(group_admin.admin_site, request, group, admin_url_if_viewable("chroniker_group_changelist"))


def _pause_page(site: AdminSite, request: HttpRequest, group: Group | None, back_url: str) -> HttpResponse:
    """GET shows the form, POST pauses or resumes and redirects to ``back_url``. No error if this was already done."""
    if not request.user.has_perm("chroniker.pause_jobs"):
        raise PermissionDenied
    form = PauseReasonForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        _pause_or_resume(request, group, form.cleaned_data["reason"])
        return redirect(back_url or request.path)
    pause = pauses.global_pause() if group is None else pauses.read_group_pauses([group.pk]).get(group.pk)
    what = _("all jobs") if group is None else _("the group “%(name)s”") % {"name": group}
    words = _("Resume %(what)s") if pause else _("Pause %(what)s")
    context: dict[str, Any] = {"title": words % {"what": what}, "pause": pause, "form": form, "back": back_url}
    context["open_work"] = _open_runs_sentences(group, may_name_job=make_permission_check(request)("view_job"))
    context["earlier"] = audit_rows.fetch_pause_history(group or Switch(pk=pauses.SWITCH_ID))
    if group is not None:
        context["console_trail"] = [(_("Groups"), back_url)]
    return render_console_page(site, request, "admin/chroniker/pause.html", "pause", context)


def _open_runs_sentences(group: Group | None, *, may_name_job: bool) -> list[str]:
    """Sentences: which runs are open, and when they probably end. They help to decide when to deploy. One statement.

    ``may_name_job``: whether the user may read the name of a job.
    """
    now = database_now()
    work = current_work.fetch_open_run_counts(now, group)
    texts = []
    if not work.n_running:
        texts.append(_("No run is active."))
    else:
        texts.append(ngettext("%(n)d run is active.", "%(n)d runs are active.", work.n_running) % {"n": work.n_running})
    if work.last_to_end is not None and work.last_to_end.ends_at is not None:
        end = work.last_to_end.ends_at
        values = {"job": work.last_to_end.lease.job.name, "left": relative(end, now), "time": short_time(end, now)}
        if work.n_running == 1:
            texts.append(_("It probably ends %(left)s, at %(time)s.") % values)
        elif may_name_job:
            texts.append(_("The last of them, %(job)s, probably ends %(left)s, at %(time)s.") % values)
        else:
            texts.append(_("The last of them probably ends %(left)s, at %(time)s.") % values)
    if work.n_unknown:
        texts.append(
            ngettext(
                "The end time of %(n)d run is unknown.", "The end times of %(n)d runs are unknown.", work.n_unknown
            )
            % {"n": work.n_unknown}
        )
    if work.n_queued:
        texts.append(
            ngettext(
                "%(n)d queued run starts in spite of a pause.",
                "%(n)d queued runs start in spite of a pause.",
                work.n_queued,
            )
            % {"n": work.n_queued}
        )
    return texts


def _pause_or_resume(request: HttpRequest, group: Group | None, reason: str) -> None:
    resumes = "resume" in request.POST
    with transaction.atomic(using=settings.database):
        changed = pauses.resume(group) if resumes else pauses.pause(request.user.get_username(), reason, group)
        if changed:
            _log_pause_or_resume(request, group, _("Resumed.") if resumes else _("Paused. %(why)s") % {"why": reason})
    if resumes and group is None and settings.paused:
        messages.warning(request, _("The setting CHRONIKER_PAUSED still pauses all jobs."))
    elif resumes:
        messages.success(request, _("Resumed. Due jobs start at the next tick."))
    else:
        messages.success(request, _("Paused. No new runs start; running commands continue."))


def _log_pause_or_resume(request: HttpRequest, group: Group | None, message: str) -> None:
    user: User = request.user  # type: ignore[assignment]  # these views need a login
    row = group or Switch.objects.get(pk=pauses.SWITCH_ID)
    LogEntry.objects.log_actions(user.pk, [row], CHANGE, message.strip())
