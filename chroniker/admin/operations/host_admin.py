"""The admin class of hosts. Read-only."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chroniker.admin.shared.cells import Cell, distance, moment
from chroniker.admin.shared.site_links import SiteLinks
from chroniker.clock.database_clock import FromNow
from chroniker.eligibility.hosts import SILENT, SKEW_SECONDS
from chroniker.models import Host

if TYPE_CHECKING:
    HostModelAdmin = admin.ModelAdmin[Host]
else:
    HostModelAdmin = admin.ModelAdmin


@admin.register(Host)
class HostAdmin(SiteLinks, HostModelAdmin):
    list_display = ("name", "seen", "skew", "scheduling")
    search_fields = ("name",)
    fields = ("name", "seen", "skew", "scheduling")
    readonly_fields = ("seen", "skew", "scheduling")
    when_empty = gettext_lazy("No hosts yet. A host is listed after its first tick, or when it starts a Celery worker.")
    change_list_template = "admin/chroniker/host/change_list.html"

    class Media:
        css = {"all": ("chroniker/admin.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Host]:
        """With the database's time in each row, as ``last_seen`` is by that clock."""
        return super().get_queryset(request).annotate(now=FromNow())

    @admin.display(description=gettext_lazy("last seen"), ordering="last_seen")
    def seen(self, host: Host) -> SafeString:
        return seen_cell(host, host.__dict__["now"]).html(f"host-{host.pk}-seen")

    @admin.display(description=gettext_lazy("clock skew"), ordering="clock_skew_seconds")
    def skew(self, host: Host) -> SafeString:
        return skew_cell(host).html("", _("Clock skew"))

    @admin.display(description=gettext_lazy("scheduling"))
    def scheduling(self, host: Host) -> SafeString:
        return scheduling_cell(host, host.__dict__["now"]).html(f"host-{host.pk}-scheduling", _("Scheduling"))


def seen_cell(host: Host, now: dt.datetime) -> Cell:
    kind, word = ("failed", _("silent")) if now - host.last_seen > SILENT else ("succeeded", _("alive"))
    return Cell(word, kind, f"{distance(host.last_seen, now)}, {moment(host.last_seen)}")


def skew_cell(host: Host) -> Cell:
    """The difference between the host's clock and the database's clock."""
    skew = host.clock_skew_seconds
    if skew is None:
        return Cell(_("unknown"))
    text = f"{skew:+.3f} s"
    return Cell(text, "waiting", _("clock skew is too large")) if abs(skew) > SKEW_SECONDS else Cell(text)


def scheduling_cell(host: Host, now: dt.datetime) -> Cell:
    """Whether the host starts and expires runs. After a jump of the database's clock this is suspended for a while."""
    if host.suspended_until is None or host.suspended_until <= now:
        return Cell(_("normal"))
    until = _("until")
    return Cell(_("suspended"), "waiting", f"{until} {moment(host.suspended_until)}. {host.suspended_because}")
