"""The page of the entries of ``beat_schedule``: when each was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chroniker.admin.shared.site_links import SiteLinks
from chroniker.wording.badges import list_cell, time_html
from chroniker.wording.formats import exact_time
from chroniker_celery.models import BeatEntry

if TYPE_CHECKING:
    BeatEntryModelAdmin = admin.ModelAdmin[BeatEntry]
else:
    BeatEntryModelAdmin = admin.ModelAdmin


@admin.register(BeatEntry)
class BeatEntryAdmin(SiteLinks, BeatEntryModelAdmin):
    """A list without forms: the entries are written in the project's settings."""

    list_display = ("name", "task", "schedule", "sent", "accounted_for")
    list_display_links = None
    search_fields = ("name", "task")
    change_list_template = "admin/chroniker/change_list.html"
    delete_confirmation_template = "admin/chroniker/delete_confirmation.html"
    delete_selected_confirmation_template = "admin/chroniker/delete_selected_confirmation.html"
    when_empty = gettext_lazy("No entries. Beat lists the entries of the project's beat_schedule here when it starts.")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: BeatEntry | None = None) -> bool:
        return False

    @admin.display(description=gettext_lazy("last sent"), ordering="sent_at")
    def sent(self, row: BeatEntry) -> SafeString:
        return list_cell(_("Last sent"), time_html(row.sent_at, exact_time(row.sent_at)))

    @admin.display(description=gettext_lazy("accounted for until"), ordering="served_until")
    def accounted_for(self, row: BeatEntry) -> SafeString:
        return list_cell(_("Accounted for until"), time_html(row.served_until, exact_time(row.served_until)))
