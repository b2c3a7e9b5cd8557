"""The admin class of calendars, each with its blackouts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chroniker.admin.shared.changed_values import ChangedValuesMixin
from chroniker.admin.shared.input_labels import LabelledInputsFormSet
from chroniker.admin.shared.site_links import SiteLinksMixin
from chroniker.models import Blackout, Calendar
from chroniker.wording.badges import list_cell

if TYPE_CHECKING:
    CalendarModelAdmin = admin.ModelAdmin[Calendar]
    StackedInline = admin.StackedInline[Blackout, Calendar]
else:
    CalendarModelAdmin = admin.ModelAdmin
    StackedInline = admin.StackedInline


class BlackoutInline(StackedInline):
    model = Blackout
    formset: type[Any] = LabelledInputsFormSet
    extra = 1
    fields = ("name", ("starts_at", "ends_at"), "repeats")  # a table would hide the times on a narrow page


@admin.register(Calendar)
class CalendarAdmin(SiteLinksMixin, ChangedValuesMixin, CalendarModelAdmin):
    list_display = ("name", "blackout_count_cell", "job_count_cell")
    search_fields = ("name",)
    inlines = (BlackoutInline,)
    when_empty = _("No calendars yet. A job with a calendar skips scheduled times that fall in a blackout.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Calendar]:
        """The calendars, each with its numbers of jobs and blackouts, in the same statement."""
        jobs, blackouts = Count("jobs", distinct=True), Count("blackouts", distinct=True)
        return super().get_queryset(request).annotate(counted_jobs=jobs, counted_blackouts=blackouts)

    @admin.display(description=_("blackouts"))
    def blackout_count_cell(self, calendar: Calendar) -> SafeString:
        return list_cell(gettext("Blackouts"), calendar.__dict__["counted_blackouts"])

    @admin.display(description=_("jobs"))
    def job_count_cell(self, calendar: Calendar) -> SafeString:
        return list_cell(gettext("Jobs"), calendar.__dict__["counted_jobs"])
