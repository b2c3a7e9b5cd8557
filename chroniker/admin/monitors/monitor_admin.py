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
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chroniker.admin.jobs.action_confirmation import CHECK
from chroniker.admin.jobs.bulk_actions import BulkActions
from chroniker.admin.monitors.monitor_list import MonitorStatus, monitor_statuses
from chroniker.admin.shared import page_notices
from chroniker.admin.shared.filters import ResultFilter
from chroniker.admin.shared.live_refresh import MOST_ROWS, cell_name, cells_json, json_view, live_url, requested_ids
from chroniker.admin.shared.site_links import SiteLinks, admin_url, redirect_to
from chroniker.models import Job, Monitor
from chroniker.schedule import describe

if TYPE_CHECKING:
    JobModelAdmin = admin.ModelAdmin[Job]
else:
    JobModelAdmin = admin.ModelAdmin


class MonitorChangeList(ChangeList):
    """Fetches the status of all monitors of the page in a constant number of statements."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        jobs: Sequence[Monitor] = list(self.result_list)
        self.result_list = jobs
        editable = _may_see_jobs(request)
        for status in monitor_statuses(jobs).values():
            status.overview.job.__dict__.update(monitor_status=status, linked=editable)


class MonitorColumns:
    """The columns. The list has fetched the data of all rows before (``MonitorChangeList``)."""

    @admin.display(description=_("monitor and schedule"), ordering="name")
    def monitor(self, job: Job) -> SafeString:
        name: str | SafeString = job.name
        if job.__dict__["linked"] and (url := admin_url("chroniker_job_change", job.pk)):
            name = format_html('<a href="{}">{}</a>', url, job.name)
        cell = '<span class="chroniker-cell">{}<small>{}</small><small class="chroniker-description">{}</small></span>'
        return format_html(cell, name, describe(job.spec), job.monitor_description)

    @admin.display(description=_("state"))
    def now(self, job: Job) -> SafeString:
        return format_html('<div class="chroniker-words">{}{}{}</div>', *_cells(job, "state", "progress", "doubt"))

    @admin.display(description=_("last result"), ordering="state__last_finished_at")
    def last_result(self, job: Job) -> SafeString:
        return _cells(job, "last_result", label=gettext("Last result"))[0]

    @admin.display(description=_("need attention"))
    def attention(self, job: Job) -> SafeString:
        cell = _cells(job, "attention", label=gettext("Need attention"))[0]
        return format_html("{}{}", cell, _where_to_look(job))


def _cells(job: Job, *columns: str, label: str = "") -> list[SafeString]:
    status: MonitorStatus = job.__dict__["monitor_status"]
    cells = status.cells()
    return [cells[column].html(cell_name("monitor", job.pk, column), label) for column in columns]


def _where_to_look(job: Job) -> SafeString:
    status: MonitorStatus = job.__dict__["monitor_status"]
    if status.wrong_url:
        return format_html('<div class="chroniker-error">{}</div>', status.wrong_url)
    if not status.url:
        return SafeString("")
    label = gettext("View details of “%(name)s”") % {"name": job.name}
    return format_html('<div><a href="{}" aria-label="{}">{}</a></div>', status.url, label, gettext("View details"))


@admin.register(Monitor)
class MonitorAdmin(SiteLinks, MonitorColumns, BulkActions, JobModelAdmin):
    """Needs the right to view monitors or jobs. Links to the jobs need the right to view jobs."""

    list_display = ("monitor", "attention", "now", "last_result")
    list_display_links = None  # the column "monitor" links itself
    list_filter = ("enabled", ResultFilter)
    list_per_page = MOST_ROWS
    list_max_show_all = MOST_ROWS
    search_fields = ("name", "monitor_description")
    search_help_text = _("Name or description")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = ("check_now",)
    change_list_template = "admin/chroniker/monitor/change_list.html"
    when_empty = _("No monitors yet. Add one, or select “is a monitor” on the page of a job.")

    class Media:
        css = {"all": ("chroniker/admin.css",)}
        js = ("chroniker/live.js",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return MonitorChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().changelist_view(request, {**(extra_context or {}), **page_notices.context()})
        shown = getattr(response, "context_data", None) or {}
        if "cl" in shown:
            shown["live_url"] = live_url("chroniker_monitor_live", (job.pk for job in shown["cl"].result_list))
        return response

    @json_view
    def live_view(self, request: HttpRequest) -> dict[str, Any]:
        """``?ids=1,2``: the current cells of these monitors."""
        cells: dict[str, Any] = {}
        for pk, status in monitor_statuses(list(Monitor.objects.filter(pk__in=requested_ids(request)))).items():
            cells |= cells_json("monitor", pk, status.cells())
        return {"cells": cells}

    @admin.action(description=_("Check selected monitors now"), permissions=["run"])
    def check_now(self, request: HttpRequest, chosen: QuerySet[Job]) -> HttpResponse | None:
        return self.run_confirmed(request, chosen, CHECK)

    # -- pages for editing: those of the job ---------------------------------------------------------------------

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return redirect(f"{admin_url('chroniker_job_add')}?is_monitor=1&command=check_monitor")

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect_to("chroniker_job_change", object_id)  # checks its own permissions

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("chroniker.view_monitor") or _may_see_jobs(request)

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
            path("live/", self.live_view, name="chroniker_monitor_live"),
            path("<path:object_id>/change/", view(self.change_view), name="chroniker_monitor_change"),
        ]


def _may_see_jobs(request: HttpRequest) -> bool:
    return request.user.has_perm("chroniker.view_job") or request.user.has_perm("chroniker.change_job")
