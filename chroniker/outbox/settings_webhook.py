"""Sends a message to a webhook of the settings: one POST request, signed as in Standard Webhooks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING
from urllib.error import HTTPError

from chroniker.exceptions import MessageUndeliverable
from chroniker.models import Outbox
from chroniker.outbox.channels import configured_webhooks
from chroniker.outbox.checked_request import NotDelivered
from chroniker.outbox.kinds.standard_webhook import signature_headers

if TYPE_CHECKING:
    from urllib import request

#: Seconds to wait for the server's answer.
ANSWER_TIMEOUT_SECONDS = 10.0


def prepare_sending(message: Outbox) -> Callable[[], None]:
    """The function that sends the message. An answer of 2xx is success; any other, also a redirect, is a failure."""
    from urllib import request  # imported here: every process of the project loads this module

    hook = next((hook for hook in configured_webhooks() if hook.channel == message.channel), None)
    if hook is None:
        raise MessageUndeliverable("CHRONIKER_WEBHOOKS no longer contains this URL.")
    body = json.dumps(message.payload, separators=(",", ":")).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "django-chroniker-celery",
        **signature_headers(hook.key, str(message.message_id), int(time.time()), body),
    }
    return partial(_post, request.Request(hook.url, body, headers, method="POST"))


def _post(message: request.Request) -> None:
    try:
        with make_http_opener().open(message, timeout=ANSWER_TIMEOUT_SECONDS):
            pass  # the answer's body is not used
    except HTTPError as refusal:
        with refusal:
            text = f"The server answered {refusal.code} {refusal.reason}."
            raise NotDelivered(text, status=refusal.code) from None


def make_http_opener() -> request.OpenerDirector:
    """HTTP and HTTPS with the environment's proxies. No redirects, which could lead to any server, and no files."""
    from urllib import request

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
