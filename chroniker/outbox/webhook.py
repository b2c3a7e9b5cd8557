"""Sends one POST request, signed as in Standard Webhooks (version 1, symmetric)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from urllib import request
from urllib.error import HTTPError

from chroniker.exceptions import ChronikerError, Undeliverable
from chroniker.models import Outbox
from chroniker.outbox.channels import webhooks

#: Seconds to wait for the server's answer.
TIMEOUT = 10.0


class NotAccepted(ChronikerError):
    """The webhook's server did not accept the message."""


def send(message: Outbox) -> None:
    """Send the message. An answer of 2xx is success; any other, also a redirect, is a failure."""
    hook = next((hook for hook in webhooks() if hook.channel == message.channel), None)
    if hook is None:
        raise Undeliverable("CHRONIKER_WEBHOOKS no longer contains this URL.")
    body = json.dumps(message.payload, separators=(",", ":")).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "django-chroniker-celery",
        **signed(hook.key, _message_id(message), int(time.time()), body),
    }
    try:
        with opener().open(request.Request(hook.url, body, headers, method="POST"), timeout=TIMEOUT):
            pass  # the answer's body is not used
    except HTTPError as refusal:
        with refusal:
            raise NotAccepted(f"The server answered {refusal.code} {refusal.reason}.") from None


def _message_id(message: Outbox) -> str:
    return str(message.run_id) if message.run_id else f"alarm-{message.pk}"


def signed(key: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Headers for the receiver: id (to drop repeats), time, and signature (to verify the sender)."""
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def opener() -> request.OpenerDirector:
    """HTTP and HTTPS with the environment's proxies. No redirects, which could lead to any server, and no files."""
    opener = request.OpenerDirector()
    for part in (
        request.ProxyHandler(),
        request.HTTPHandler(),
        request.HTTPSHandler(),
        request.HTTPDefaultErrorHandler(),
        request.HTTPErrorProcessor(),
        request.UnknownHandler(),
    ):
        opener.add_handler(part)
    return opener
