"""The admin class of runs: permissions, and the addresses of the list and of the pages of one run. Read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls.resolvers import URLPattern

from chroniker.admin.operations import reliability_page
from chroniker.admin.runs import run_actions, run_list_page, run_page
from chroniker.admin.shared.site_links import SiteLinks
from chroniker.models import Run

if TYPE_CHECKING:
    RunModelAdmin = admin.ModelAdmin[Run]
else:
    RunModelAdmin = admin.ModelAdmin

#: Modules with pages below the list of runs. Each has ``urls(run_admin)``.
PAGES: tuple[Any, ...] = (run_page, run_actions, reliability_page)


@admin.register(Run)
class RunAdmin(SiteLinks, RunModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        return request.user.has_perm("chroniker.view_run")

    def has_delete_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        return False  # this would delete the lease of an open run; retention deletes old runs

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        del extra_context
        return run_list_page.list_view(self, request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        del form_url, extra_context
        return run_page.run_view(self, request, object_id)

    def get_urls(self) -> list[URLPattern]:
        return [address for page in PAGES for address in page.urls(self)] + super().get_urls()
