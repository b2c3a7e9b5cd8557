"""What every page says: whether anything starts, and in which time zone its times are."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from chroniker.admin.shared import pausing


def conditions() -> dict[str, Any]:
    """What every page should say: whether anything starts at all, and in which zone its times are."""
    return {
        "pauses": pausing.notices(),
        "zone": timezone.get_current_timezone_name(),
    }
