"""What pages share about alerts: the fields in forms, the badge of a kind, and the link to a mute."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.http import urlencode

from chroniker.admin.shared.site_links import admin_url
from chroniker.models import AlertKind

#: In rows, as in a fieldset of Django's admin.
ALERT_FIELDSET: tuple[str | tuple[str, ...], ...] = (
    ("alert_start_seconds", "alert_run_seconds"),
    ("alert_failures", "alert_done_by"),
    "alert_repeat_seconds",
)
#: The state of a kind, where it has another name.
_CODES = {AlertKind.HELD: "on_hold", AlertKind.SET_ASIDE: "schedule_error", AlertKind.BACKFILL: "failed"}


def alert_code(kind: str) -> str:
    """The code of the badge."""
    return _CODES.get(AlertKind(kind), str(kind)) if kind in AlertKind.values else "unknown"


def mute_url(job_id: int | None, may: Callable[[str], bool]) -> str:
    """The form that mutes the alerts of this job; empty for users who may not."""
    url = admin_url("chroniker_alertmute_add") if may("add_alertmute") else ""
    return f"{url}?{urlencode({'job': job_id})}" if url and job_id else url
