"""JSON of the project's own form."""

from __future__ import annotations

from django.core.exceptions import ValidationError

from chroniker.exceptions import MessageUndeliverable
from chroniker.models import channel_template
from chroniker.outbox.checked_request import OutgoingRequest
from chroniker.outbox.kinds.endpoint import Endpoint, json_request
from chroniker.outbox.notice import Notice


def template_json_request(notice: Notice, endpoint: Endpoint) -> OutgoingRequest:
    """The template with its placeholders filled in. Raises ``MessageUndeliverable`` for an invalid template."""
    try:
        template = channel_template.parse_template(endpoint.template)
        return json_request(endpoint.target, channel_template.fill_template(template, placeholder_values(notice)))
    except ValidationError as error:
        raise MessageUndeliverable(" ".join(error.messages)) from None


def placeholder_values(notice: Notice) -> dict[str, str]:
    return {
        "id": notice.message_id,
        "event": notice.event,
        "title": notice.title,
        "text": notice.text,
        "severity": notice.severity,
        "timestamp": notice.timestamp,
        "job": notice.job,
        "job_id": "" if notice.job_id is None else str(notice.job_id),
        "kind": notice.kind,
        "status": "recovered" if notice.is_recovery else "raised",
        "owner": notice.owner,
        "runbook_url": notice.runbook,
        "run": str(notice.run.pk) if notice.run else str((notice.body.get("data") or {}).get("run") or ""),
        "url": notice.url,
    }
