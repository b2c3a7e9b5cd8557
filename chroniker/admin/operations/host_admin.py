"""The admin class of hosts. Its list is the page of the fleet; a host has no page of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from chroniker.admin.shared.site_links import SiteLinksMixin, redirect_to
from chroniker.models import Host

if TYPE_CHECKING:
    HostModelAdmin = admin.ModelAdmin[Host]
else:
    HostModelAdmin = admin.ModelAdmin


@admin.register(Host)
class HostAdmin(SiteLinksMixin, HostModelAdmin):
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        from chroniker.admin.operations.fleet_page import render_fleet_page  # late, as all pages

        return render_fleet_page(self.admin_site, request)

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return redirect_to("chroniker_host_changelist")
