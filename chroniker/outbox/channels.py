"""The channels for messages about runs and alarms, and the names of events. Uses settings, no models."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from chroniker.conf import settings

MAIL, WEBHOOK, CALLBACK = "mail", "webhook", "callback"
#: A mail to an address that is no user's. The address is in the payload.
ADDRESS = "address"

#: The event for each final status. A skipped run is reported only if it was missed.
EVENTS: Mapping[str, str] = {
    "SUCCEEDED": "run.succeeded",
    "FAILED": "run.failed",
    "TIMED_OUT": "run.timed_out",
    "STOPPED": "run.stopped",
    "LOST": "run.lost",
    "SKIPPED": "run.missed",
}

#: The events when an alarm about the scheduler is raised and when it ends, by kind of alarm.
ALARM_EVENTS: Mapping[str, tuple[str, str]] = {
    "tick": ("scheduler.silent", "scheduler.back"),
    "queue": ("queue.silent", "queue.back"),
}
ALL_EVENTS = (*EVENTS.values(), *(event for pair in ALARM_EVENTS.values() for event in pair))

#: Statuses that count as errors: mail is sent by default, and the callback is called. STOPPED is not an error.
ERRORS = frozenset({"FAILED", "TIMED_OUT", "LOST", "SKIPPED"})

SECRET_PREFIX = "whsec_"  # nosec B105  # public, by the specification; what follows it is secret
LONGEST_HOST = 60


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
        return f"{WEBHOOK}:{(urlsplit(self.url).hostname or '')[:LONGEST_HOST]}:{digest}"


def webhooks() -> list[Webhook]:
    """The configured webhooks. Malformed entries are left out: a system check reports them, and runs still close."""
    found = settings.webhooks
    return [hook for entry in found if not isinstance(hook := webhook(entry), str)] if _listed(found) else []


def webhook(entry: Any) -> Webhook | str:
    """The webhook of this entry of the setting, or a text about its error."""
    if not isinstance(entry, Mapping):
        return "is not a dictionary"
    if unknown := set(entry) - {"URL", "SECRET", "EVENTS"}:
        return f"has a key {sorted(map(repr, unknown))[0]}, which nothing reads"
    url, secret, events = entry.get("URL"), entry.get("SECRET"), entry.get("EVENTS", [*ALL_EVENTS])
    if not isinstance(url, str) or not is_web_address(url):
        return "has a URL that is not http:// or https:// and a host"
    if not isinstance(secret, str) or (key := _key(secret)) is None:
        return f'has a SECRET that is not text, is empty, or has no base64 after "{SECRET_PREFIX}"'
    if not _listed(events) or not set(events) <= set(ALL_EVENTS):
        return f"has EVENTS that are not a list of some of {', '.join(ALL_EVENTS)}"
    if not events:
        return "has an empty list of EVENTS; remove EVENTS to receive all"
    return Webhook(url, key, frozenset(events))


def is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises for one that is no number
    except ValueError:
        return False
    clean = url.isascii() and url.isprintable() and " " not in url
    return clean and parts.scheme in ("http", "https") and bool(parts.hostname)


def _key(secret: str) -> bytes | None:
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode() or None
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True) or None
    except binascii.Error:
        return None


def _listed(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset)
