"""A POST request as in Standard Webhooks (version 1), signed where the channel has a secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time

from chroniker.exceptions import MessageUndeliverable
from chroniker.models.channel_target import decode_signing_key
from chroniker.outbox.checked_request import OutgoingRequest
from chroniker.outbox.kinds.endpoint import Endpoint
from chroniker.outbox.notice import Notice


def webhook_request(notice: Notice, endpoint: Endpoint) -> OutgoingRequest:
    body = json.dumps(notice.body, separators=(",", ":")).encode()
    headers = {"Content-Type": "application/json", "webhook-id": notice.message_id}
    if endpoint.secret:
        key = decode_signing_key(endpoint.secret)
        if key is None:
            raise MessageUndeliverable("The secret has no base64 after “whsec_”.")
        headers |= signature_headers(key, notice.message_id, int(time.time()), body)
    return OutgoingRequest(endpoint.target, body, headers)


def signature_headers(key: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Headers for the receiver: id (to drop repeats), time, and signature (to verify the sender)."""
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
