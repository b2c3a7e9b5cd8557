"""Validation of a channel before it is saved from a form. Every message names the error and a correct form."""

from __future__ import annotations

from typing import Any, Protocol
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from chroniker.conf import settings
from chroniker.escaping import has_control_characters
from chroniker.models import channel_target, channel_template
from chroniker.models.channel_kind import (
    CHANNEL_KINDS_WITH_OUTPUT,
    CHANNEL_KINDS_WITH_SECRET,
    CHECK_IN_KINDS,
    SLUG_PLACEHOLDER,
    ChannelKind,
)
from chroniker.models.message_events import ALL_EVENTS
from chroniker.models.web_addresses import is_web_address, may_be_contacted, parse_ip_address


class ChannelValues(Protocol):
    name: Any
    kind: Any
    target: Any
    secret: Any
    template: Any
    events: Any
    is_default: Any
    send_output: Any


def validate_channel(channel: ChannelValues) -> None:
    """Raises one ``ValidationError`` with all errors, by field. No message repeats a web address or a secret."""
    errors: dict[str, str | ValidationError] = {}
    if has_control_characters(channel.name):
        errors["name"] = _("The name must be one line of text without control characters.")
    for field, check in (
        ("target", _check_target),
        ("secret", _check_secret),
        ("template", _check_template),
        ("events", _check_events),
    ):
        try:
            check(channel)
        except ValidationError as error:
            errors[field] = error
    if channel.send_output and channel.kind not in CHANNEL_KINDS_WITH_OUTPUT:
        errors["send_output"] = _("Only emails and pings can contain output.")
    if channel.kind == ChannelKind.PING and channel.is_default and SLUG_PLACEHOLDER not in channel.target:
        text = _("A default channel is for many jobs: write {slug} in its address in place of the job's name.")
        errors.setdefault("target", text)
    if errors:
        raise ValidationError(errors)


def _check_target(channel: ChannelValues) -> None:
    text = channel.target
    if not text:
        if channel.kind != ChannelKind.PAGERDUTY:
            raise ValidationError(_("The target is missing: write where to send the messages."))
        return
    if _is_config_reference(text):
        return
    if channel.kind == ChannelKind.MAIL:
        split_recipients(text)
    else:
        check_web_target(channel.kind, text)


def _is_config_reference(text: str) -> bool:
    """Whether it names a setting or a variable that channels may read."""
    found = channel_target.split_config_reference(text)
    if found is None:
        return False
    if not channel_target.is_permitted_setting_name(found[1]):
        raise ValidationError(_("The name of a setting or variable for a channel must begin with CHRONIKER_CHANNEL_."))
    return True


def split_recipients(text: str) -> list[str]:
    """The parts of a mail channel's target: addresses, ``user:NAME`` and ``owner``."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    for part in parts:
        if part != "owner" and not (part.startswith("user:") and part != "user:"):
            try:
                validate_email(part)
            except ValidationError:
                error = _(
                    "“%(part)s” is not an e-mail address. Write addresses, user:NAME or owner, separated by commas."
                )
                raise ValidationError(error % {"part": part[:100]}) from None
    if not parts:
        raise ValidationError(_("Write at least one e-mail address, user:NAME or owner."))
    return parts


def check_web_target(kind: str, url: str) -> None:
    """Raises ``ValidationError`` if messages of this kind cannot be sent to this address."""
    if not is_web_address(url.replace(SLUG_PLACEHOLDER, "slug") if kind == ChannelKind.PING else url):
        raise ValidationError(_("Write an address that begins with https:// or http:// and has a host."))
    parts = urlsplit(url)
    if kind == ChannelKind.SENTRY:
        if not parts.username or not parts.path.rstrip("/").rpartition("/")[2].isdecimal():
            raise ValidationError(_("Write the DSN of the project in Sentry: https://KEY@HOST/PROJECT"))
    elif parts.username is not None:
        raise ValidationError(_("Write the address without user name or password."))
    host = parts.hostname or ""
    if parse_ip_address(host) is not None and not may_be_contacted(host, host, settings.channel_hosts):
        text = _(
            "This address is in a private network. CHRONIKER_CHANNEL_HOSTS in the settings lists the private hosts "
            "and networks that are allowed."
        )
        raise ValidationError(text)


def _check_secret(channel: ChannelValues) -> None:
    if channel.kind not in CHANNEL_KINDS_WITH_SECRET:
        if channel.secret:
            raise ValidationError(_("Only webhooks and PagerDuty have a secret."))
        return
    if not channel.secret:
        if channel.kind == ChannelKind.PAGERDUTY:
            raise ValidationError(_("The integration key is missing; PagerDuty shows it with the integration."))
        return
    is_key = channel.kind == ChannelKind.WEBHOOK and not _is_config_reference(channel.secret)
    if is_key and channel_target.decode_signing_key(channel.secret) is None:
        raise ValidationError(_("The key after whsec_ must be written in base64."))


def _check_template(channel: ChannelValues) -> None:
    if channel.kind == ChannelKind.JSON:
        if not channel.template:
            raise ValidationError(_('A template is missing. Write JSON, like {"text": "{{ text }}"}.'))
        channel_template.parse_template(channel.template)
    elif channel.template:
        raise ValidationError(_("Only a channel of the kind “JSON of your own” has a template."))


def _check_events(channel: ChannelValues) -> None:
    if not isinstance(channel.events, list) or not all(isinstance(each, str) for each in channel.events):
        raise ValidationError(_("Write a list of events."))
    if unknown := sorted(set(channel.events) - set(ALL_EVENTS)):
        text = _("There is no event “%(event)s”; the events are: %(events)s.")
        raise ValidationError(text % {"event": unknown[0][:50], "events": ", ".join(ALL_EVENTS)})
    if channel.events and channel.kind in CHECK_IN_KINDS:
        raise ValidationError(_("Pings and check-ins are about the start and end of each run; choose no events."))
