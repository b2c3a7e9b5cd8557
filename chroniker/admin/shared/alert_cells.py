"""Alerts on several pages: their fields in forms, the state code of a kind of alert, and the address of a new mute."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.http import urlencode

from chroniker.admin.shared.site_links import admin_url
from chroniker.models import AlertKind

#: The fields, as the rows of a fieldset in Django's admin.
ALERT_FIELDSET: tuple[str | tuple[str, ...], ...] = (
    ("alert_start_seconds", "alert_run_seconds"),
    ("alert_failures", "alert_done_by"),
    "alert_repeat_seconds",
)
#: The state code of a kind of alert, if it differs from the name of the kind.
_STATE_CODES_BY_ALERT_KIND = {
    AlertKind.HELD: "on_hold",
    AlertKind.SET_ASIDE: "schedule_error",
    AlertKind.BACKFILL: "failed",
}


def alert_state_code(alert_kind: str) -> str:
    """The state code for the badge of this kind of alert."""
    return (
        _STATE_CODES_BY_ALERT_KIND.get(AlertKind(alert_kind), str(alert_kind))
        if alert_kind in AlertKind.values
        else "unknown"
    )


def mute_form_url(job_id: int | None, has_permission: Callable[[str], bool]) -> str:
    """The address of the form that mutes the alerts of this job; empty for users who may not mute alerts."""
    url = admin_url("chroniker_alertmute_add") if has_permission("add_alertmute") else ""
    return f"{url}?{urlencode({'job': job_id})}" if url and job_id else url
