"""The admin class of runs: permissions, and the addresses of the list and of the pages of one run. Read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls.resolvers import URLPattern

from chroniker.admin.shared.page_addresses import PageAddress, make_url_patterns
from chroniker.admin.shared.site_links import SiteLinksMixin
from chroniker.models import Run

if TYPE_CHECKING:
    RunModelAdmin = admin.ModelAdmin[Run]
else:
    RunModelAdmin = admin.ModelAdmin

RUN_ROUTE = "<uuid:object_id>/"
PAGE_ADDRESSES = (
    PageAddress("reliability/", "operations.reliability_page.reliability_view", "run_reliability"),
    PageAddress(f"{RUN_ROUTE}output/", "runs.run_page.output_lines_view", "run_output", is_json=True),
    PageAddress(f"{RUN_ROUTE}stop/", "runs.run_actions.stop_run_view", "run_stop"),
    PageAddress(f"{RUN_ROUTE}again/", "runs.run_actions.run_again_view", "run_again"),
    PageAddress(f"{RUN_ROUTE}log.txt", "runs.run_actions.download_output_view", "run_log"),
)


@admin.register(Run)
class RunAdmin(SiteLinksMixin, RunModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        return request.user.has_perm("chroniker.view_run")

    def has_delete_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        return False  # this would delete the lease of an open run; retention deletes old runs

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        from chroniker.admin.runs import run_list_page  # late, as all pages

        del extra_context
        return run_list_page.run_list_view(self, request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        from chroniker.admin.runs import run_page  # late, as all pages

        del form_url, extra_context
        return run_page.run_page_view(self, request, object_id)

    def get_urls(self) -> list[URLPattern]:
        return make_url_patterns(self, PAGE_ADDRESSES) + super().get_urls()
