"""The admin class of groups: the limit, the number of open runs, and the pause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.urls.resolvers import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chroniker.admin.shared.alert_cells import ALERT_FIELDSET
from chroniker.admin.shared.audit_rows import AuditedHistoryMixin
from chroniker.admin.shared.changed_values import ChangedValuesMixin
from chroniker.admin.shared.page_addresses import PageAddress, make_url_patterns
from chroniker.admin.shared.site_links import SiteLinksMixin, admin_url, admin_url_if_viewable
from chroniker.eligibility import pauses
from chroniker.models import Group, Job, Lease
from chroniker.wording.badges import badge, list_cell, time_html
from chroniker.wording.formats import NO_VALUE_TEXT, short_time

if TYPE_CHECKING:
    GroupModelAdmin = admin.ModelAdmin[Group]
else:
    GroupModelAdmin = admin.ModelAdmin


PAGE_ADDRESSES = (PageAddress("<int:object_id>/pause/", "shared.pause_page.pause_group_view", "group_pause"),)


@admin.register(Group)
class GroupAdmin(SiteLinksMixin, ChangedValuesMixin, AuditedHistoryMixin, GroupModelAdmin):
    list_display = ("name", "members_cell", "open_runs_cell", "limit_cell", "pause_cell")
    search_fields = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "limit", "channels", "members_cell", "open_runs_cell", "pause_cell")}),
        (
            _("Alerts"),
            {
                "description": _(
                    "These values apply to jobs of this group that have no values of their own. If a field is "
                    "empty, the project's setting applies."
                ),
                "fields": ALERT_FIELDSET,
                "classes": ("collapse",),
            },
        ),
    )
    readonly_fields = ("members_cell", "open_runs_cell", "pause_cell")
    when_empty = _("No groups yet. A group limits how many of its jobs run at once, and can be paused as a whole.")
    change_form_template = "admin/chroniker/group/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        """The groups, each with its numbers of jobs and open runs, in the same statement."""
        members = Job.objects.filter(group=OuterRef("pk")).order_by().values("group").annotate(n=Count("*"))
        leases = Lease.objects.filter(job__group=OuterRef("pk"), slot="").order_by()
        open_runs = leases.values("job__group").annotate(n=Count("pk"))
        return (
            super()
            .get_queryset(request)
            .annotate(n_members=_count_or_zero(members), n_running=_count_or_zero(open_runs))
        )

    @admin.display(description=_("jobs"))
    def members_cell(self, group: Group) -> str | SafeString:
        if group._state.adding:
            return NO_VALUE_TEXT
        jobs = admin_url_if_viewable("chroniker_job_changelist")
        number = group.__dict__["n_members"]
        link = format_html('<a href="{}?{}">{}</a>', jobs, urlencode({"group": group.name}), number) if jobs else number
        return list_cell(gettext("Jobs"), link)

    @admin.display(description=_("queued or running"))
    def open_runs_cell(self, group: Group) -> str | SafeString:
        if group._state.adding:
            return NO_VALUE_TEXT
        count = group.__dict__["n_running"]
        full = group.limit is not None and count >= group.limit
        shown = format_html("{} {}", count, badge("full")) if full else count
        return list_cell(gettext("Queued or running"), shown)

    @admin.display(description=_("limit"), ordering="limit")
    def limit_cell(self, group: Group) -> SafeString:
        return list_cell(gettext("Limit"), NO_VALUE_TEXT if group.limit is None else group.limit)

    @admin.display(description=_("paused"), ordering="paused_at")
    def pause_cell(self, group: Group) -> SafeString:
        if group.paused_at is None:
            return list_cell(gettext("Paused"), NO_VALUE_TEXT)
        since = time_html(group.paused_at, short_time(group.paused_at))
        text = format_html(gettext("since {time} by {name}."), time=since, name=group.paused_by)
        return list_cell("", badge("paused"), format_html("{} {}", text, group.paused_reason))

    def get_urls(self) -> list[URLPattern]:
        return make_url_patterns(self, PAGE_ADDRESSES) + super().get_urls()

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        group: Group | None = kwargs.get("obj")
        if group is not None and request.user.has_perm("chroniker.pause_jobs"):
            context["pause_url"] = admin_url("chroniker_group_pause", group.pk)
            context["is_paused"] = group.pk in pauses.read_group_pauses([group.pk])
        return super().render_change_form(request, context, *args, **kwargs)


def _count_or_zero(counts: QuerySet[Any, Any]) -> Coalesce:
    return Coalesce(Subquery(counts.values("n")), 0, output_field=IntegerField())
