"""The targets and secrets of channels. A channel has the value itself, or a reference to a setting or variable.

The name of such a setting or variable begins with a fixed prefix.
"""

from __future__ import annotations

import base64
import binascii
import os
import re

from django.conf import settings as django_settings
from django.utils.translation import gettext as _

from chroniker.exceptions import MessageUndeliverable
from chroniker.models.web_addresses import is_web_address, scheme_and_host_of_url

#: Names of settings and variables that a channel may refer to. With other names, it could send any secret anywhere.
PERMITTED_SETTING_NAME_PATTERN = re.compile(r"CHRONIKER_CHANNEL_[A-Z0-9_]+\Z")
#: This setting has the prefix, but it is not a target.
CHANNEL_HOSTS_SETTING_NAME = "CHRONIKER_CHANNEL_HOSTS"
MASK_TEXT = "••••••"
#: The prefix of a key in base64, as in Standard Webhooks. The prefix is public; the text after it is secret.
SIGNING_KEY_PREFIX = "whsec_"  # nosec B105


def split_config_reference(text: str) -> tuple[str, str] | None:
    """Kind and name of ``setting:NAME`` and ``env:NAME``; ``None`` for a value that is not a reference."""
    kind, colon, name = text.partition(":")
    return (kind, name) if colon and kind in ("setting", "env") else None


def is_permitted_setting_name(name: str) -> bool:
    return PERMITTED_SETTING_NAME_PATTERN.match(name) is not None and name != CHANNEL_HOSTS_SETTING_NAME


def resolve_config_reference(text: str) -> str:
    """The value of this reference, read at each attempt. Raises ``MessageUndeliverable`` if there is none."""
    found = split_config_reference(text)
    if found is None:
        return text
    kind, name = found
    if not is_permitted_setting_name(name):
        raise MessageUndeliverable(
            _("The name of a setting or variable for a channel must begin with CHRONIKER_CHANNEL_.")
        )
    value = os.environ.get(name) if kind == "env" else getattr(django_settings, name, None)
    if not isinstance(value, str) or not value:
        raise MessageUndeliverable(
            _("%(name)s is empty or not set in the process that sends the message.") % {"name": name}
        )
    return value


def masked_target(kind: str, target: str) -> str:
    """For pages and commands: names and mail addresses are not changed; of a web address only scheme and host
    remain."""
    if split_config_reference(target) is not None or kind == "MAIL" or not target:
        return target
    return scheme_and_host_of_url(target) if is_web_address(target) else MASK_TEXT


def masked_secret(secret: str) -> str:
    """For pages: the name of the setting or variable, else a mask."""
    return secret if not secret or split_config_reference(secret) is not None else MASK_TEXT


def decode_signing_key(secret: str) -> bytes | None:
    """The key of a webhook's secret; ``None`` if it is empty, or no base64 follows the prefix."""
    if not secret.startswith(SIGNING_KEY_PREFIX):
        return secret.encode() or None
    try:
        return base64.b64decode(secret.removeprefix(SIGNING_KEY_PREFIX), validate=True) or None
    except binascii.Error:
        return None
