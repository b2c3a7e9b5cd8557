"""The page of the entries of ``beat_schedule``: when each was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chroniker.admin.shared.site_links import SiteLinksMixin, admin_url
from chroniker.wording.badges import list_cell, time_html
from chroniker.wording.formats import exact_time
from chroniker_celery.models import BeatEntry

if TYPE_CHECKING:
    BeatEntryModelAdmin = admin.ModelAdmin[BeatEntry]
else:
    BeatEntryModelAdmin = admin.ModelAdmin


@admin.register(BeatEntry)
class BeatEntryAdmin(SiteLinksMixin, BeatEntryModelAdmin):
    """A list without forms: the entries are written in the project's settings."""

    list_display = ("name", "task", "schedule", "sent", "accounted_for")
    list_display_links = None
    search_fields = ("name", "task")
    change_list_template = "admin/chroniker/change_list.html"
    delete_confirmation_template = "admin/chroniker/delete_confirmation.html"
    delete_selected_confirmation_template = "admin/chroniker/delete_selected_confirmation.html"
    when_empty = gettext_lazy("No entries. Beat lists the entries of the project's beat_schedule here when it starts.")

    actions = ("make_jobs",)

    def has_import_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("chroniker.add_job")

    @admin.action(description=gettext_lazy("Create jobs from the selected entries"), permissions=["import"])
    def make_jobs(self, request: HttpRequest, chosen: QuerySet[BeatEntry]) -> None:
        """Import these entries like ``import_celery_beat --schedule``. Beat then does not send them."""
        from chroniker.importing import ImportOutcome  # late: only this action needs them
        from chroniker_celery.importing import settings_entries

        keys = set(chosen.values_list("key", flat=True))
        found = settings_entries.import_entries(keys, by=request.user.get_username())
        for candidate in found:
            job, outcome = candidate.job, candidate.outcome
            if outcome is ImportOutcome.IMPORTED:
                url = admin_url("chroniker_job_change", job.pk)
                name = format_html('<a href="{}">{}</a>', url, job.name) if url else job.name
                text = _("“{name}” is a job now. Delete the entry from the settings.")
                self.message_user(request, format_html(text, name=name), messages.SUCCESS)
            elif outcome is ImportOutcome.IMPORTED_BEFORE:
                self.message_user(request, _("“%(name)s” is a job already.") % {"name": job.name}, messages.INFO)
            else:
                names = {"name": job.name, "why": candidate.refusal}
                self.message_user(request, _("“%(name)s” was not imported: %(why)s") % names, messages.ERROR)
        if len(found) < len(keys):
            text = _("Selected entries that are not in the settings of this site were left out.")
            self.message_user(request, text, messages.WARNING)

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
