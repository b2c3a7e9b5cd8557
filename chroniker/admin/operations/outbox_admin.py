"""The admin class of outgoing messages (emails, webhooks). Read-only, except for the action "Send again"."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from chroniker import outbox
from chroniker.admin.shared.filters import FirstRowsPaginator
from chroniker.admin.shared.site_links import SiteLinksMixin, admin_url_if_viewable
from chroniker.clock.database_clock import NowPlus
from chroniker.models import Job, Outbox
from chroniker.outbox import notice
from chroniker.outbox.channels import DATABASE_CHANNEL_KIND, MAIL, MAIL_ADDRESS_KIND
from chroniker.wording.badges import badge, list_cell, relative_time_html, time_html
from chroniker.wording.formats import NO_VALUE_TEXT, exact_time, format_count

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    OutboxModelAdmin = admin.ModelAdmin[Outbox]
else:
    OutboxModelAdmin = admin.ModelAdmin


class DeliveryFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("waiting", gettext_lazy("waiting")),
            ("failing", gettext_lazy("retrying")),
            ("given-up", gettext_lazy("given up")),
            ("sent", gettext_lazy("sent")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Outbox]) -> QuerySet[Outbox]:
        conditions = {
            "waiting": Q(send_at__isnull=False),
            "failing": Q(send_at__isnull=False) & ~Q(error=""),
            "given-up": Q(send_at__isnull=True, sent_at__isnull=True),
            "sent": Q(sent_at__isnull=False),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


@admin.register(Outbox)
class OutboxAdmin(SiteLinksMixin, OutboxModelAdmin):
    list_display = ("message_text", "about_cell", "state_cell", "attempts_cell", "error_cell")
    list_filter = (DeliveryFilter,)
    list_per_page = 50
    list_max_show_all = 0
    ordering = ("-pk",)
    paginator = FirstRowsPaginator
    search_fields = ("channel",)
    search_help_text = gettext_lazy("Part of a job name, or a run ID")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = ("send_again",)
    when_empty = gettext_lazy(
        "No messages. Emails and webhooks about runs, alerts and alarms are listed here, sent or not."
    )
    fields = ("message_text", "event", "about_cell", "state_cell", "attempts", "error", "payload")
    readonly_fields = ("message_text", "about_cell", "state_cell")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a message is deleted together with its run, or after some time

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        own = ("chroniker.view_outbox", "chroniker.change_outbox")
        return any(request.user.has_perm(permission) for permission in own)

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("chroniker.change_outbox")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Outbox]:
        """The messages, each with the database's time."""
        return super().get_queryset(request).select_related("run__job", "alert__job").annotate(now=NowPlus())

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Outbox], search_term: str) -> Any:
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q(run__job__in=Job.objects.filter(name__icontains=term).values("pk"))
        with suppress(ValueError):
            found |= Q(run=UUID(term))
        return queryset.filter(found), False

    @admin.action(description=gettext_lazy("Send again"), permissions=["send"])
    def send_again(self, request: HttpRequest, chosen_messages: QuerySet[Outbox]) -> None:
        """Send these messages with the next tick, also those that were sent before."""
        found = list(chosen_messages)
        n = outbox.send_messages_again([message.pk for message in found])
        user: User = request.user  # type: ignore[assignment]  # these views need a login
        LogEntry.objects.log_actions(user.pk, found, CHANGE, _("Sending again was requested."))
        text = ngettext(
            "%(n)d message will be sent at the next tick.", "%(n)d messages will be sent at the next tick.", n
        )
        self.message_user(request, text % {"n": n}, messages.SUCCESS)

    @admin.display(description=gettext_lazy("message"), ordering="channel")
    def message_text(self, message: Outbox) -> str:
        kind = message.channel.partition(":")[0]
        if kind in (MAIL, MAIL_ADDRESS_KIND):
            return _("email to %(who)s") % {"who": message.payload.get("to", "")}
        if kind == DATABASE_CHANNEL_KIND:
            return _("channel “%(name)s”") % {"name": message.payload.get("to", "")}
        return message.channel.rpartition(":")[0] or message.channel  # without a webhook's digest

    @admin.display(description=gettext_lazy("about"), ordering="run")
    def about_cell(self, message: Outbox) -> SafeString:
        run = message.run
        if run is None:
            return list_cell(_("Alert"), notice.notice_of_message(message).title)
        name, url = f"{run.job.name} #{run.token}", admin_url_if_viewable("chroniker_run_change", run.pk)
        return list_cell(_("Run"), format_html('<a href="{}">{}</a>', url, name) if url else name)

    @admin.display(description=gettext_lazy("state"), ordering="send_at")
    def state_cell(self, message: Outbox) -> SafeString:
        now: dt.datetime = message.__dict__["now"]
        if message.sent_at is not None:
            cell, note = badge("sent"), time_html(message.sent_at, exact_time(message.sent_at, now))
        elif message.send_at is None:
            cell, note = badge("given_up"), ""
        else:
            cell = badge("retrying" if message.error else "waiting")
            note = format_html(_("next attempt {when}"), when=relative_time_html(message.send_at, now))
        return list_cell("", cell, note)

    @admin.display(description=gettext_lazy("attempts"), ordering="attempts")
    def attempts_cell(self, message: Outbox) -> SafeString:
        return list_cell(_("Attempts"), format_count(message.attempts))

    @admin.display(description=gettext_lazy("error"), ordering="error")
    def error_cell(self, message: Outbox) -> SafeString:
        return list_cell(capfirst(_("error")), message.error or NO_VALUE_TEXT)
