"""Texts on every list and page: notices about pauses and suspended hosts, and the time zone of its times."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from chroniker.admin.shared.site_links import admin_url
from chroniker.eligibility import hosts, pauses

#: Paused groups and suspended hosts that one page names.
MOST_NAMED = 5


def context() -> dict[str, Any]:
    """For the templates ``notices.html`` and those that include it."""
    return {
        "pauses": notices(),
        "zone": timezone.get_current_timezone_name(),
    }


def notices() -> list[dict[str, Any]]:
    """Suspended hosts and pauses, for the top of a page. Three statements."""
    found: list[dict[str, Any]] = [{"suspended": words} for words in hosts.suspension_messages()[:MOST_NAMED]]
    if everything := pauses.global_pause():
        found.append({"pause": everything, "url": admin_url("chroniker_job_pause")})
    for pk, pause in list(pauses.group_pauses().items())[:MOST_NAMED]:
        found.append({"pause": pause, "url": admin_url("chroniker_group_pause", pk)})
    return found
