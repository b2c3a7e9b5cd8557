"""The admin classes of alerts, which are read-only, and of mutes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chroniker.admin.shared.alert_cells import alert_state_code, mute_form_url
from chroniker.admin.shared.changed_values import ChangedValuesMixin
from chroniker.admin.shared.console_bar import make_permission_check
from chroniker.admin.shared.filters import FirstRowsPaginator
from chroniker.admin.shared.site_links import SiteLinksMixin, admin_url_if_viewable
from chroniker.clock.database_clock import NowPlus, database_now
from chroniker.conf import settings
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.lifecycle.alert_mutes import schedule_checks_of_unreported_alerts
from chroniker.models import Alert, AlertMute, Outbox
from chroniker.wording.badges import badge, list_cell, relative_time_html, time_html
from chroniker.wording.formats import NO_VALUE_TEXT, short_time

if TYPE_CHECKING:
    AlertModelAdmin = admin.ModelAdmin[Alert]
    MuteModelAdmin = admin.ModelAdmin[AlertMute]
else:
    AlertModelAdmin = MuteModelAdmin = admin.ModelAdmin


class OpenAlertsFilter(admin.SimpleListFilter):
    """Shows open alerts, unless the user chooses ended or all alerts."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("ended", _("ended")), ("all", _("all"))]

    def choices(self, changelist: ChangeList) -> Any:
        for value, title in ((None, _("open")), *self.lookup_choices):
            query = changelist.get_query_string({self.parameter_name: value} if value else {}, [self.parameter_name])
            yield {"selected": self.value() == value, "query_string": query, "display": title}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        if self.value() == "all":
            return queryset
        return queryset.filter(ended_at__isnull=self.value() != "ended")


@admin.register(Alert)
class AlertAdmin(SiteLinksMixin, AlertModelAdmin):
    list_display = ("alert_cell", "job_cell", "since_cell", "reported_cell", "mute_cell")
    list_display_links = None
    list_filter = (OpenAlertsFilter, "kind")
    list_per_page = 50
    list_max_show_all = 0
    ordering = ("-raised_at", "-pk")
    paginator = FirstRowsPaginator
    search_fields = ("job__name",)
    search_help_text = _("Part of a job name")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    when_empty = _("No open alerts. An alert is listed here from the time it is raised until it has ended.")
    fields = ("alert_cell", "job_cell", "since_cell", "reported_cell")
    readonly_fields = ("alert_cell", "job_cell", "since_cell", "reported_cell")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # an alert is deleted together with its job, or after some time

    def get_list_display(self, request: HttpRequest) -> Any:
        """The columns. The last column has a link to mute the alert. Only users who may mute alerts see it."""
        return self.list_display if make_permission_check(request)("add_alertmute") else self.list_display[:-1]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alert]:
        """The alerts, each with the database's time and whether a message about it was written.

        The first message about an alert is kept as long as the alert.
        """
        is_told = Exists(Outbox.objects.filter(alert=OuterRef("pk")))
        return super().get_queryset(request).select_related("job").annotate(now=NowPlus(), is_told=is_told)

    @admin.display(description=_("alert"), ordering="kind")
    def alert_cell(self, alert: Alert) -> SafeString:
        text = alert.text_with_time_format(partial(short_time, now=alert.__dict__["now"]))
        text = mask_secrets(text, alert.job.secrets) if alert.job else text
        return list_cell("", badge(alert_state_code(alert.kind)), text)

    @admin.display(description=_("job"), ordering="job__name")
    def job_cell(self, alert: Alert) -> SafeString:
        if alert.job is None:
            return list_cell(gettext("Job"), NO_VALUE_TEXT)
        url = admin_url_if_viewable("chroniker_job_status", alert.job.pk)
        name = format_html('<a href="{}">{}</a>', url, alert.job.name) if url else alert.job.name
        return list_cell(gettext("Job"), name, alert.job.owner)

    @admin.display(description=_("since"), ordering="raised_at")
    def since_cell(self, alert: Alert) -> SafeString:
        now = alert.__dict__["now"]
        ended = ""
        if alert.ended_at is not None:
            time = time_html(alert.ended_at, short_time(alert.ended_at, now))
            ended = format_html(gettext("ended {time}"), time=time)
        since = time_html(alert.raised_at, short_time(alert.raised_at, now))
        return list_cell(gettext("Since"), since, ended or relative_time_html(alert.raised_at, now))

    @admin.display(description=_("reported"), ordering="reported_at")
    def reported_cell(self, alert: Alert) -> SafeString:
        if alert.reported_at is None:
            return list_cell(gettext("Reported"), badge("paused", gettext("Muted")))
        if not alert.__dict__["is_told"]:
            return list_cell(gettext("Reported"), gettext("To nobody"), gettext("No channel receives it."))
        return list_cell(
            gettext("Reported"), time_html(alert.reported_at, short_time(alert.reported_at, alert.__dict__["now"]))
        )

    @admin.display(description="", empty_value="")
    def mute_cell(self, alert: Alert) -> SafeString | str:
        url = mute_form_url(alert.job_id, lambda _permission: True)
        if alert.ended_at is not None or not url:
            return ""
        label = gettext("Mute the alerts of %(job)s") % {"job": alert.job}
        return format_html('<a class="btn small" href="{}" aria-label="{}">{}</a>', url, label, gettext("Mute until…"))


@admin.register(AlertMute)
class AlertMuteAdmin(SiteLinksMixin, ChangedValuesMixin, MuteModelAdmin):
    list_display = ("scope_text", "time_range_cell", "reason_cell")
    list_select_related = ("job", "group")
    ordering = ("-ends_at", "-pk")
    autocomplete_fields = ("job", "group")
    fieldsets = (
        (
            None,
            {
                "description": _(
                    "Without a job or a group, the mute applies to all jobs. Alerts are still raised and "
                    "shown; those that are open when the mute ends are reported then."
                ),
                "fields": ("job", "group", "starts_at", "ends_at", "reason"),
            },
        ),
    )
    when_empty = _(
        "No mutes. While alerts of a job, a group or all jobs are muted, no message reports them. A mute that "
        "begins later is a maintenance window."
    )

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """``?job=ID``, ``?group=ID``: the job or the group whose alerts are muted. Other values are ignored."""
        given = {name: request.GET.get(name, "") for name in ("job", "group")}
        numbers = {name: value for name, value in given.items() if value.isdecimal() and len(value) < 19}
        return {"starts_at": database_now(), **numbers}

    def save_model(self, request: HttpRequest, obj: AlertMute, form: Any, change: bool) -> None:
        obj.muted_by = obj.muted_by or request.user.get_username()[:150]
        super().save_model(request, obj, form, change)
        _report_alerts_after_commit()

    def delete_model(self, request: HttpRequest, obj: AlertMute) -> None:
        super().delete_model(request, obj)
        _report_alerts_after_commit()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AlertMute]) -> None:
        super().delete_queryset(request, queryset)
        _report_alerts_after_commit()

    @admin.display(description=_("mute"), ordering="job__name")
    def scope_text(self, mute: AlertMute) -> str:
        return str(mute)

    @admin.display(description=_("time"), ordering="ends_at")
    def time_range_cell(self, mute: AlertMute) -> SafeString:
        begin = time_html(mute.starts_at, short_time(mute.starts_at))
        end = time_html(mute.ends_at, short_time(mute.ends_at))
        return list_cell(gettext("Time"), format_html(gettext("{begin} until {end}"), begin=begin, end=end))

    @admin.display(description=_("reason"))
    def reason_cell(self, mute: AlertMute) -> SafeString:
        return list_cell(gettext("Reason"), mute.reason or NO_VALUE_TEXT, mute.muted_by)


def _report_alerts_after_commit() -> None:
    """After the commit, report open alerts that are no longer muted: a mute may have been shortened or deleted."""
    transaction.on_commit(schedule_checks_of_unreported_alerts, using=settings.database)
