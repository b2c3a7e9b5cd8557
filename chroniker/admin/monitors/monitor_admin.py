"""The admin class of monitors: a list, and an action that runs them. They are edited on the pages of their jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.urls.resolvers import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from chroniker.admin.jobs.action_confirmation import CHECK_MONITORS_QUESTION
from chroniker.admin.jobs.bulk_actions import BulkActionsMixin
from chroniker.admin.monitors.monitor_list import MonitorStatus, fetch_monitor_statuses
from chroniker.admin.shared.filters import LastResultFilter
from chroniker.admin.shared.site_links import SiteLinksMixin, admin_url, redirect_to
from chroniker.models import Job, Monitor
from chroniker.schedule import describe_schedule
from chroniker.wording.badges import list_cell

if TYPE_CHECKING:
    JobModelAdmin = admin.ModelAdmin[Job]
else:
    JobModelAdmin = admin.ModelAdmin


class MonitorChangeList(ChangeList):
    """Fetches the status of all monitors on the page in a constant number of statements."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        jobs: Sequence[Monitor] = list(self.result_list)
        self.result_list = jobs
        editable = _may_view_jobs(request)
        for status in fetch_monitor_statuses(jobs).values():
            status.job_status.job.__dict__.update(monitor_status=status, linked=editable)


class MonitorColumnsMixin:
    """The columns of the list. ``MonitorChangeList`` has already fetched the data of all rows."""

    @admin.display(description=_("monitor and schedule"), ordering="name")
    def monitor_cell(self, job: Job) -> SafeString:
        name: str | SafeString = job.name
        if job.__dict__["linked"] and (url := admin_url("chroniker_job_change", job.pk)):
            name = format_html('<a href="{}">{}</a>', url, job.name)
        return list_cell("", name, format_html("{}<br>{}", describe_schedule(job.spec), job.monitor_description))

    @admin.display(description=_("state"))
    def state_cell(self, job: Job) -> SafeString:
        return _get_prefetched_monitor_status(job).state_cell()

    @admin.display(description=_("last result"), ordering="state__last_finished_at")
    def last_result_cell(self, job: Job) -> SafeString:
        return _get_prefetched_monitor_status(job).last_result_cell()

    @admin.display(description=_("need attention"))
    def attention_cell(self, job: Job) -> SafeString:
        return _get_prefetched_monitor_status(job).attention_cell()


def _get_prefetched_monitor_status(job: Job) -> MonitorStatus:
    status: MonitorStatus = job.__dict__["monitor_status"]
    return status


@admin.register(Monitor)
class MonitorAdmin(SiteLinksMixin, MonitorColumnsMixin, BulkActionsMixin, JobModelAdmin):
    """The list needs the permission to view monitors or jobs. Its links to jobs need the permission to view jobs."""

    list_display = ("monitor_cell", "attention_cell", "state_cell", "last_result_cell")
    list_display_links = None  # the cells of the column "monitor" contain links
    list_filter = ("enabled", LastResultFilter)
    list_max_show_all = 100
    search_fields = ("name", "monitor_description")
    search_help_text = _("Name or description")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = ("check_now",)
    change_list_template = "admin/chroniker/monitor/change_list.html"
    when_empty = _("No monitors yet. Add one, or select “is a monitor” on the page of a job.")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return MonitorChangeList

    @admin.action(description=_("Check selected monitors now"), permissions=["run"])
    def check_now(self, request: HttpRequest, chosen: QuerySet[Job]) -> HttpResponse | None:
        return self.run_jobs_if_confirmed(request, chosen, CHECK_MONITORS_QUESTION)

    # -- pages for editing: those of the job ---------------------------------------------------------------------

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return redirect(f"{admin_url('chroniker_job_add')}?is_monitor=1&command=check_monitor")

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect_to("chroniker_job_change", object_id)  # that page checks the permissions

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("chroniker.view_monitor") or _may_view_jobs(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("chroniker.add_job") and self.admin_site.is_registered(Job)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("", view(self.changelist_view), name="chroniker_monitor_changelist"),
            path("add/", view(self.add_view), name="chroniker_monitor_add"),
            path("<path:object_id>/change/", view(self.change_view), name="chroniker_monitor_change"),
        ]


def _may_view_jobs(request: HttpRequest) -> bool:
    return request.user.has_perm("chroniker.view_job") or request.user.has_perm("chroniker.change_job")
