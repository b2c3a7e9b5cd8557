"""The names of channels in the outbox, and the webhooks of the settings."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from chroniker.conf import settings
from chroniker.models.channel_target import SIGNING_KEY_PREFIX, decode_signing_key
from chroniker.models.message_events import ALL_EVENTS
from chroniker.models.web_addresses import is_web_address

MAIL, WEBHOOK, CALLBACK = "mail", "webhook", "callback"
#: A channel of the database. Its number follows.
DATABASE_CHANNEL_KIND = "channel"
#: A mail to an address that is no user's. The address is in the payload.
MAIL_ADDRESS_KIND = "address"

#: Statuses that count as errors: mail is sent by default, and the callback is called. STOPPED is not an error.
ERROR_STATUSES = frozenset({"FAILED", "TIMED_OUT", "LOST", "SKIPPED"})

MAX_HOST_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Webhook:
    """One entry of ``CHRONIKER_WEBHOOKS``."""

    url: str
    key: bytes
    events: frozenset[str]

    @property
    def channel(self) -> str:
        """The name in the outbox: host (readable) and digest (unique). The URL is left out: it may be a secret."""
        digest = hashlib.sha256(self.url.encode()).hexdigest()[:16]
        return f"{WEBHOOK}:{(urlsplit(self.url).hostname or '')[:MAX_HOST_LENGTH]}:{digest}"


def configured_webhooks() -> list[Webhook]:
    """The configured webhooks. Malformed entries are left out: a system check reports them, and runs are closed
    nevertheless."""
    found = settings.webhooks
    return (
        [hook for entry in found if not isinstance(hook := parse_webhook(entry), str)] if _is_collection(found) else []
    )


def parse_webhook(entry: Any) -> Webhook | str:
    """The webhook of this entry of the setting, or a text about its error."""
    if not isinstance(entry, Mapping):
        return "is not a dictionary"
    if unknown := set(entry) - {"URL", "SECRET", "EVENTS"}:
        return f"has a key {sorted(map(repr, unknown))[0]}, which nothing reads"
    url, secret, events = entry.get("URL"), entry.get("SECRET"), entry.get("EVENTS", [*ALL_EVENTS])
    if not isinstance(url, str) or not is_web_address(url):
        return "has a URL that is not http:// or https:// and a host"
    if not isinstance(secret, str) or (key := decode_signing_key(secret)) is None:
        return f'has a SECRET that is not text, is empty, or has no base64 after "{SIGNING_KEY_PREFIX}"'
    if not _is_collection(events) or not set(events) <= set(ALL_EVENTS):
        return f"has EVENTS that are not a list of some of {', '.join(ALL_EVENTS)}"
    return Webhook(url, key, frozenset(events or ALL_EVENTS))


def _is_collection(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset)
