"""The admin class of runs: the list and its columns, and the addresses of the pages of one run. Read-only."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import BadRequest
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.urls.resolvers import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chroniker.admin.operations import reliability_page
from chroniker.admin.runs import run_actions, run_page
from chroniker.admin.shared import page_notices
from chroniker.admin.shared.cells import NOTHING, Cell
from chroniker.admin.shared.filters import MOST_RUNS, FirstRows, OfJobFilter
from chroniker.admin.shared.live_refresh import MOST_ROWS, cell_name, cells_json, json_view, live_url
from chroniker.admin.shared.run_cells import run_cells
from chroniker.admin.shared.site_links import SiteLinks
from chroniker.clock.database_clock import FromNow, database_now
from chroniker.models import OPEN, Job, Run

if TYPE_CHECKING:
    RunModelAdmin = admin.ModelAdmin[Run]
else:
    RunModelAdmin = admin.ModelAdmin


#: Modules with pages below the list of runs. Each has ``urls(run_admin)``.
PAGES: tuple[Any, ...] = (run_page, run_actions, reliability_page)


@admin.register(Run)
class RunAdmin(SiteLinks, RunModelAdmin):
    list_display = ("run", "state", "instant", "began", "where")
    list_filter = (OfJobFilter, "status", "trigger", "claimed_at")
    list_select_related = ("job",)
    list_per_page = 50
    list_max_show_all = 0
    ordering = ("-claimed_at",)
    paginator = FirstRows
    search_fields = ("job__name",)
    search_help_text = _("Part of a job name, a full host name, or a run ID")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = None
    change_list_template = "admin/chroniker/run/change_list.html"
    when_empty = _("No runs yet. A run is created when a job is due, or when someone selects “Run now”.")

    class Media:
        css = {"all": ("chroniker/admin.css",)}
        js = ("chroniker/live.js",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        return request.user.has_perm("chroniker.view_run")

    def has_delete_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        return False  # this would delete the lease of an open run; retention deletes old runs

    # -- the list --------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        """With the database's time in each row, for the durations."""
        return super().get_queryset(request).annotate(now=FromNow())

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Run], search_term: str) -> Any:
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q(job__in=Job.objects.filter(name__icontains=term).values("pk")) | Q(host=term)
        with suppress(ValueError):
            found |= Q(pk=UUID(term))
        return queryset.filter(found), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().changelist_view(request, {**(extra_context or {}), **page_notices.context()})
        shown = getattr(response, "context_data", None) or {}
        if "cl" in shown:
            going = (run.pk for run in shown["cl"].result_list if run.status in OPEN)
            shown["live_url"] = live_url("chroniker_run_states", going)
            shown["most_runs"] = MOST_RUNS if shown["cl"].result_count >= MOST_RUNS else None
        return response

    @admin.display(description=_("run"), ordering="job__name")
    def run(self, run: Run) -> str:
        return format_html("{} #{}", run.job.name, run.token)

    @admin.display(description=_("status"), ordering="status")
    def state(self, run: Run) -> SafeString:
        return _cell(run, "status_by")

    @admin.display(description=_("scheduled for"), ordering="scheduled_for")
    def instant(self, run: Run) -> SafeString:
        return _cell(run, "scheduled_for", gettext("Scheduled for"))

    @admin.display(description=_("started, duration"), ordering="started_at")
    def began(self, run: Run) -> SafeString:
        return _cell(run, "started_for", gettext("Started"))

    @admin.display(description=_("host"), ordering="host")
    def where(self, run: Run) -> SafeString:
        return Cell(run.host or NOTHING).html(cell_name("run", run.pk, "host"), gettext("Host"))

    @json_view
    def states_view(self, request: HttpRequest) -> dict[str, Any]:
        """``?ids=…``: the current cells of these runs."""
        try:
            ids = [UUID(text) for text in request.GET.get("ids", "").split(",")]
        except ValueError:
            raise BadRequest("ids must be ids of runs with commas between them.") from None
        now = database_now()
        cells: dict[str, Any] = {}
        for run in Run.objects.filter(pk__in=ids[:MOST_ROWS]):
            cells |= cells_json("run", run.pk, run_cells(run, now))
        return {"cells": cells}

    # -- the page --------------------------------------------------------------------------------------------

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        del form_url, extra_context
        return run_page.run_view(self, request, object_id)

    def get_urls(self) -> list[URLPattern]:
        own = [path("states/", self.states_view, name="chroniker_run_states")]
        return own + [address for page in PAGES for address in page.urls(self)] + super().get_urls()


def _cell(run: Run, column: str, label: str = "") -> SafeString:
    return run_cells(run, run.__dict__["now"])[column].html(cell_name("run", run.pk, column), label)
