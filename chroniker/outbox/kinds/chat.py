"""Slack (incoming webhooks) and Microsoft Teams (a workflow that posts to a channel)."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from chroniker.outbox.checked_request import OutgoingRequest
from chroniker.outbox.kinds.endpoint import Endpoint, json_request
from chroniker.outbox.notice import Notice

#: Slack cuts longer texts; Teams refuses messages of more than 28 KB.
MAX_TEXT_LENGTH = 3000


def slack_request(notice: Notice, endpoint: Endpoint) -> OutgoingRequest:
    """``{"text": …}``. Slack reads three characters as markup; as entities they are plain text."""
    lines = [_escape_markup(notice.title)]
    if notice.text:
        lines.append(_escape_markup(notice.text[:MAX_TEXT_LENGTH]))
    if notice.owner:
        lines.append(_escape_markup(_("Owner: %(owner)s") % {"owner": notice.owner}))
    links = [(notice.runbook, _("Runbook")), (notice.url, _("Open"))]
    if shown := " | ".join(f"<{_escape_link(url)}|{label}>" for url, label in links if url.startswith("http")):
        lines.append(shown)
    return json_request(endpoint.target, {"text": "\n".join(lines)})


def _escape_markup(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _escape_link(url: str) -> str:
    return _escape_markup(url).replace("|", "%7C")


def teams_request(notice: Notice, endpoint: Endpoint) -> OutgoingRequest:
    """A message with one adaptive card."""
    blocks: list[dict[str, Any]] = [
        {
            "type": "TextBlock",
            "text": _escape_markdown(notice.title),
            "weight": "Bolder",
            "size": "Medium",
            "wrap": True,
        }
    ]
    blocks += [
        {"type": "TextBlock", "text": _escape_markdown(line), "wrap": True, "spacing": "Small"}
        for line in notice.text[:MAX_TEXT_LENGTH].splitlines()
        if line.strip()
    ]
    if notice.owner:
        blocks.append({"type": "FactSet", "facts": [{"title": _("Owner"), "value": _escape_markdown(notice.owner)}]})
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    links = [(notice.url, _("Open")), (notice.runbook, _("Runbook"))]
    if actions := [
        {"type": "Action.OpenUrl", "title": title, "url": url} for url, title in links if url.startswith("http")
    ]:
        card["actions"] = actions
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return json_request(endpoint.target, {"type": "message", "attachments": [attachment]})


def _escape_markdown(text: str) -> str:
    """Escape Markdown characters, so that the name of a job cannot become a link."""
    for character in "\\[]*_":
        text = text.replace(character, f"\\{character}")
    return text
