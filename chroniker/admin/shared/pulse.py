"""The health of the scheduler and a pause of all jobs, as the bar and the start page show them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy

from chroniker.admin.shared.site_links import admin_url
from chroniker.eligibility import pauses
from chroniker.insights.health import ComponentHealth, fetch_health
from chroniker.wording.states import STATE_CODES_BY_HEALTH_LEVEL, STATES_BY_CODE

#: The cells of ``Health``, with the page that explains each.
HEALTH_CELLS: tuple[tuple[str, Any, str, str], ...] = (
    ("tick", gettext_lazy("Tick"), "chroniker_host_changelist", "#ticks"),
    ("workers", gettext_lazy("Workers"), "chroniker_host_changelist", "#workers"),
    ("backlog", gettext_lazy("Backlog"), "chroniker_host_changelist", "#queues"),
    ("clock", gettext_lazy("Clock"), "chroniker_host_changelist", "#hosts"),
    ("mails", gettext_lazy("Messages"), "chroniker_outbox_changelist", ""),
)
#: The permission that each page needs. Without this permission, the cell is not a link.
PERMISSION_BY_URL_NAME = {"chroniker_host_changelist": "view_host", "chroniker_outbox_changelist": "view_outbox"}


@dataclass(frozen=True, slots=True)
class BarHealthCell:
    """``code``: a code of ``wording.states``."""

    name: str
    title: str
    code: str
    headline: str
    detail: str
    url: str
    since: dt.datetime | None = None
    alarm: str = ""

    @property
    def tone(self) -> str:
        return STATES_BY_CODE[self.code].tone


def fetch_bar_health_cells(
    has_permission: Callable[[str], bool], now: dt.datetime | None = None
) -> list[BarHealthCell]:
    """One cell for each part of the health. If a part cannot be read, its cell is “unknown”, never “good”."""
    found = fetch_health(now or timezone.now())
    return [
        _make_bar_health_cell(name, str(title), getattr(found, name), url_name, anchor, has_permission)
        for name, title, url_name, anchor in HEALTH_CELLS
    ]


def _make_bar_health_cell(
    name: str,
    title: str,
    health_part: ComponentHealth,
    url_name: str,
    anchor: str,
    has_permission: Callable[[str], bool],
) -> BarHealthCell:
    url = admin_url(url_name) if has_permission(PERMISSION_BY_URL_NAME[url_name]) else ""
    link = url and f"{url}{anchor}"
    return BarHealthCell(
        name,
        title,
        STATE_CODES_BY_HEALTH_LEVEL[health_part.level],
        health_part.headline,
        health_part.detail,
        link,
        health_part.since,
        health_part.alarm,
    )


@dataclass(frozen=True, slots=True)
class PauseNotice:
    """A pause of all jobs. ``url``: the page to resume them; empty if the user may not, or if the settings pause them.

    ``copy_message``: if no job starts because this database is a copy, a text that says so; else empty.
    """

    paused_by: str
    since: dt.datetime | None
    reason: str
    url: str
    copy_message: str = ""


def fetch_pause_notice(has_permission: Callable[[str], bool]) -> PauseNotice | None:
    """The pause of all jobs, or ``None``. At most one statement."""
    pause = pauses.global_pause()
    if pause is None:
        return None
    if pause.is_copy:
        return PauseNotice("", pause.since, "", "", str(pause))
    url = admin_url("chroniker_job_pause") if pause.since is not None and has_permission("pause_jobs") else ""
    return PauseNotice(pause.paused_by, pause.since, pause.reason, url)
