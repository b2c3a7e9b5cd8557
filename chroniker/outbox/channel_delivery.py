"""One message to a channel of the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

from django.conf import settings as django_settings
from django.core.exceptions import ValidationError
from django.utils import translation
from django.utils.translation import gettext as _

from chroniker.conf import settings
from chroniker.exceptions import MessageUndeliverable
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.models import Channel, ChannelKind, Outbox, Run, Stream
from chroniker.models.channel_target import resolve_config_reference
from chroniker.models.channel_validation import check_web_target
from chroniker.outbox import channel_mail, check_in_order, notice
from chroniker.outbox.checked_request import OutgoingRequest, post
from chroniker.outbox.kinds.chat import slack_request, teams_request
from chroniker.outbox.kinds.check_ins import ping_request, sentry_request
from chroniker.outbox.kinds.endpoint import Endpoint
from chroniker.outbox.kinds.own_json import template_json_request
from chroniker.outbox.kinds.pagerduty import pagerduty_request
from chroniker.outbox.kinds.standard_webhook import webhook_request
from chroniker.outbox.notice import Notice
from chroniker.outbox.output_tail import last_lines, read_tail

#: How much of each output stream a message has, from the stream's end.
MAX_CHARACTERS, MAX_LINES = 8000, 50

REQUEST_BUILDERS: Mapping[str, Callable[[Notice, Endpoint], OutgoingRequest]] = {
    ChannelKind.WEBHOOK: webhook_request,
    ChannelKind.SLACK: slack_request,
    ChannelKind.TEAMS: teams_request,
    ChannelKind.PAGERDUTY: pagerduty_request,
    ChannelKind.JSON: template_json_request,
    ChannelKind.PING: ping_request,
    ChannelKind.SENTRY: sentry_request,
}


def prepare_sending(message: Outbox) -> Callable[[], None]:
    """The function that sends it, and raises ``NotDelivered`` or an error of the mail backend.

    Raises ``MessageUndeliverable`` if that can never succeed.
    """
    channel = Channel.objects.filter(pk=message.channel.partition(":")[2]).first()
    if channel is None:
        raise MessageUndeliverable(_("The channel was deleted."))
    if channel.is_check_in:
        check_in_order.ensure_current_and_drop_unsent_start(message)
    return _prepare_for_channel(channel, notice.notice_of_message(message))


def send_test_message(channel: Channel) -> None:
    """Send a message that says it is a test. In PagerDuty it opens an incident, and closes it at once."""
    found = notice.notice_of_test(channel.name)
    _prepare_for_channel(channel, found)()
    if channel.kind == ChannelKind.PAGERDUTY:
        _prepare_for_channel(channel, notice.make_recovery_notice(found))()


def _prepare_for_channel(channel: Channel, notice: Notice) -> Callable[[], None]:
    with translation.override(django_settings.LANGUAGE_CODE):
        if channel.kind == ChannelKind.MAIL:
            return channel_mail.prepare_sending(
                resolve_config_reference(channel.target), notice, with_output=channel.send_output
            )
        if channel.kind not in REQUEST_BUILDERS:
            raise MessageUndeliverable(_("There is no kind of channel “%(kind)s”.") % {"kind": channel.kind})
        return partial(
            _post_in_site_language, REQUEST_BUILDERS[channel.kind](notice, _endpoint_of_channel(channel, notice))
        )


def _post_in_site_language(request: OutgoingRequest) -> None:
    with translation.override(django_settings.LANGUAGE_CODE):
        post(request)


def _endpoint_of_channel(channel: Channel, notice: Notice) -> Endpoint:
    target = resolve_config_reference(channel.target)
    if target:
        try:
            check_web_target(channel.kind, target)
        except ValidationError as error:
            raise MessageUndeliverable(" ".join(error.messages)) from None
    output = _output_text(notice.run) if channel.send_output and notice.run else ""
    return Endpoint(target, resolve_config_reference(channel.secret), channel.template, installation_name(), output)


def _output_text(run: Run) -> str:
    streams = (Stream.STDOUT, Stream.STDERR)
    texts = [last_lines(read_tail(run.pk, stream, MAX_CHARACTERS), MAX_LINES) for stream in streams]
    return mask_secrets("\n".join(filter(None, texts)), run.job.secrets)


def installation_name() -> str:
    """The name of this installation: as set, else the host of its pages."""
    if isinstance(settings.installation, str):
        return settings.installation
    with suppress(ValueError):
        if host := notice.site_host():
            return host
    return settings.hostname
