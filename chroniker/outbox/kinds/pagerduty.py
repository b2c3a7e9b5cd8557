"""PagerDuty, Events API version 2."""

from __future__ import annotations

from typing import Any

from chroniker.models.channel_kind import PAGERDUTY_ADDRESS
from chroniker.outbox.checked_request import OutgoingRequest
from chroniker.outbox.kinds.endpoint import Endpoint, json_request
from chroniker.outbox.notice import Notice

MAX_SUMMARY_LENGTH, MAX_KEY_LENGTH = 1024, 255


def pagerduty_request(notice: Notice, endpoint: Endpoint) -> OutgoingRequest:
    """``trigger`` opens an incident; ``resolve`` with the same key closes it."""
    event: dict[str, Any] = {
        "routing_key": endpoint.secret,
        "event_action": "resolve" if notice.is_recovery else "trigger",
        "dedup_key": f"chroniker/{endpoint.site}/{notice.subject}"[:MAX_KEY_LENGTH],
    }
    if not notice.is_recovery:
        details = {"event": notice.event, "text": notice.text, "owner": notice.owner}
        event["payload"] = {
            "summary": notice.title[:MAX_SUMMARY_LENGTH],
            "source": endpoint.site or "chroniker",
            "severity": notice.severity,
            "component": notice.job or "scheduler",
            "custom_details": {name: value for name, value in details.items() if value},
        }
        if notice.timestamp:
            event["payload"]["timestamp"] = notice.timestamp
        event["client"] = "chroniker"
        if notice.url:
            event["client_url"] = notice.url
        if notice.runbook.startswith("http"):
            event["links"] = [{"href": notice.runbook, "text": "Runbook"}]
    return json_request(endpoint.target or PAGERDUTY_ADDRESS, event)
