"""The admin class of channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import CharField, Count, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Concat
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path
from django.urls.resolvers import URLPattern
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chroniker.admin.channels.channel_form import ChannelForm, event_labels_text
from chroniker.admin.shared.changed_values import ChangedValuesMixin
from chroniker.admin.shared.site_links import SiteLinksMixin, admin_url, redirect_to
from chroniker.models import Channel, FailingChannel
from chroniker.models.channel_target import masked_secret
from chroniker.outbox import channel_test
from chroniker.wording.badges import badge, list_cell
from chroniker.wording.formats import NO_VALUE_TEXT

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    ChannelModelAdmin = admin.ModelAdmin[Channel]
else:
    ChannelModelAdmin = admin.ModelAdmin

#: Maps each field of a channel that is shown masked to the method that shows it.
MASKED_FIELD_METHODS = {
    "target": "masked_target_cell",
    "secret": "masked_secret_text",
    "template": "masked_template_text",
}  # nosec B105  # names


@admin.register(Channel)
class ChannelAdmin(SiteLinksMixin, ChangedValuesMixin, ChannelModelAdmin):
    form = ChannelForm
    list_display = ("name", "kind_cell", "masked_target_cell", "events_cell", "used_by_cell", "state_cell")
    search_fields = ("name",)  # not the target: a user could guess its masked value by searches
    show_facets = admin.ShowFacets.NEVER
    when_empty = _("No channels yet. A channel gets messages about alerts: by mail, chat, webhook or paging service.")
    change_form_template = "admin/chroniker/channel/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Channel]:
        """The channels, each with its numbers of jobs and groups and its last error, in the same statement."""
        # Without a cast of the number: MariaDB compares no cast with a column of another collation.
        key = Concat(Value("channel:"), OuterRef("pk"), output_field=CharField())
        errors = FailingChannel.objects.filter(channel=key).values("error")
        return (
            super()
            .get_queryset(request)
            .annotate(
                n_jobs=Count("jobs", distinct=True),
                n_groups=Count("groups", distinct=True),
                last_error=Subquery(errors),
            )
        )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Users who may view a channel but not change it see masked values."""
        fields = list(ChannelForm.Meta.fields)
        if obj is None or self.has_change_permission(request, obj):
            return fields
        return [MASKED_FIELD_METHODS.get(name, name) for name in fields]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return tuple(MASKED_FIELD_METHODS.values())

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        form.mask_values_for_history()
        return super().construct_change_message(request, form, formsets, add)

    def save_model(self, request: HttpRequest, obj: Channel, form: Any, change: bool) -> None:
        """Save the channel. After an edit, also retry its waiting messages: the edit may have repaired the channel."""
        super().save_model(request, obj, form, change)
        if change:
            channel_test.retry_waiting_messages(obj)

    # -- the list --------------------------------------------------------------------------------------------

    @admin.display(description=_("kind"), ordering="kind")
    def kind_cell(self, channel: Channel) -> SafeString:
        return list_cell(gettext("Kind"), channel.get_kind_display())

    @admin.display(description=_("target"))
    def masked_target_cell(self, channel: Channel) -> SafeString:
        return list_cell(gettext("Target"), channel.masked_target or NO_VALUE_TEXT)

    @admin.display(description=_("secret"))
    def masked_secret_text(self, channel: Channel) -> str:
        return masked_secret(channel.secret) or NO_VALUE_TEXT

    @admin.display(description=_("template"))
    def masked_template_text(self, channel: Channel) -> str:
        return masked_secret(channel.template) or NO_VALUE_TEXT

    @admin.display(description=_("events"))
    def events_cell(self, channel: Channel) -> SafeString:
        if channel.is_check_in:
            text = gettext("start and end of runs")
        else:
            text = event_labels_text(channel.events) or gettext("all alerts and alarms")
        return list_cell(gettext("Events"), text)

    @admin.display(description=_("used by"))
    def used_by_cell(self, channel: Channel) -> SafeString:
        counts = channel.__dict__
        parts = [gettext("default")] if channel.is_default else []
        if counts["n_jobs"]:
            parts.append(gettext("jobs: %(n)d") % {"n": counts["n_jobs"]})
        if counts["n_groups"]:
            parts.append(gettext("groups: %(n)d") % {"n": counts["n_groups"]})
        return list_cell(gettext("Used by"), ", ".join(parts) or NO_VALUE_TEXT)

    @admin.display(description=_("state"))
    def state_cell(self, channel: Channel) -> SafeString:
        error = channel.__dict__["last_error"]
        return list_cell("", badge("failing" if error is not None else "ok"), error or "")

    # -- the test --------------------------------------------------------------------------------------------

    def send_test_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Send a test message, by POST only. The user sees the status of the answer, not its content."""
        channel = get_object_or_404(Channel, pk=object_id)
        if not self.has_change_permission(request, channel):
            raise PermissionDenied
        if request.method == "POST":
            user: User = request.user  # type: ignore[assignment]  # these views need a login
            LogEntry.objects.log_actions(user.pk, [channel], CHANGE, gettext("A test was sent."))
            error = channel_test.send_test_and_record_result(channel)
            if error:
                self.message_user(
                    request, gettext("The test was not delivered. %(error)s") % {"error": error}, messages.ERROR
                )
            else:
                self.message_user(
                    request, gettext("The test was delivered to “%(name)s”.") % {"name": channel}, messages.SUCCESS
                )
        return redirect_to("chroniker_channel_change", channel.pk)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.send_test_view)
        return [path("<int:object_id>/test/", view, name="chroniker_channel_test"), *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        channel: Channel | None = kwargs.get("obj")
        if channel is not None and self.has_change_permission(request, channel):
            context["test_url"] = admin_url("chroniker_channel_test", channel.pk)
        return super().render_change_form(request, context, *args, **kwargs)
