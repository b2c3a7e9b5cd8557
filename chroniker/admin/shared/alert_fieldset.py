"""The fields of alerts in the forms of jobs and of groups."""

from __future__ import annotations

#: In rows, as in a fieldset of Django's admin.
ALERT_FIELDSET: tuple[str | tuple[str, ...], ...] = (
    ("alert_start_seconds", "alert_run_seconds"),
    ("alert_failures", "alert_done_by"),
    "alert_repeat_seconds",
)
