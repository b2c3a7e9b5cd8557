"""Pauses: of all jobs, by a setting or a switch, or of the jobs of a group; with time, person and reason.

A paused job is not claimed; its open run continues. Its instants stay due: after the pause the job's misfire grace
decides whether they run, once for all of them, or are recorded as skipped.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from chroniker.clock.database_clock import NowPlus
from chroniker.conf import settings
from chroniker.models import Group, Job, Switch, installation
from chroniker.models.conflicts import retry_after_conflict
from chroniker.models.group import SWITCH_ID as SWITCH_ID


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause; ``str`` describes it for people. ``group`` is empty for the pause over all jobs."""

    group: str = ""
    since: dt.datetime | None = None  #: None: a pause by the setting, whose time is not known
    paused_by: str = ""
    reason: str = ""
    is_copy: bool = False  #: the jobs do not run because this database is a copy; no person has paused them

    def __str__(self) -> str:
        if self.is_copy:
            return database_copy_message()
        words = {"group": self.group, "who": self.paused_by, "reason": self.reason}
        if self.since is None:
            return _("The scheduler is paused.")
        words["time"] = f"{timezone.localtime(self.since):%Y-%m-%d %H:%M:%S}"
        if self.group:
            said = _("The group “%(group)s” has been paused since %(time)s by %(who)s.") % words
        else:
            said = _("The scheduler has been paused since %(time)s by %(who)s.") % words
        return f"{said} {_add_full_stop(self.reason)}".strip()


#: Within ``cache_global_pause``: a list with the pause that was read; empty before the first read.
_pause_read_once: ContextVar[list[Pause | None] | None] = ContextVar("chroniker_pause", default=None)


@contextmanager
def cache_global_pause() -> Iterator[None]:
    """Within this block ``global_pause`` reads the database at most once, so that all parts of a page agree."""
    token = _pause_read_once.set([])
    try:
        yield
    finally:
        _pause_read_once.reset(token)


def global_pause() -> Pause | None:
    """The pause over all jobs. At most one statement; the setting needs none."""
    known = _pause_read_once.get()
    if not known:
        found = _read_global_pause()
        if known is None:
            return found
        known.append(found)
    return known[0]


def _read_global_pause() -> Pause | None:
    if settings.paused:
        return Pause()
    rows = Switch.objects.filter(pk=SWITCH_ID).annotate(is_copy=installation.database_copied_condition())
    row = rows.first()
    if row is not None and row.is_copy:
        return Pause(since=row.copied_since, is_copy=True)
    return _make_pause(row)


def database_copy_message() -> str:
    """For people: why nothing runs here, and what to do."""
    return _(
        "This database is a copy of another one, or was restored from a backup. So that no job runs "
        "unexpectedly, nothing is claimed, started or sent. If its jobs should run here, run: manage.py "
        "chroniker_adopt. After an upgrade or a move of the database server, if no other process uses the "
        "original, run: manage.py chroniker_adopt --moved"
    )


def all_jobs_paused_condition() -> Exists:
    """SQL condition: all jobs are paused, or this database is a copy. A claim checks it again under its locks."""
    return Exists(
        Switch.objects.filter(Q(paused_at__isnull=False) | installation.database_copied_condition(), pk=SWITCH_ID)
    )


def read_group_pauses(group_ids: Iterable[int] | None = None) -> dict[int, Pause]:
    """By id: the pauses of all paused groups, or of those among these groups, in the order of names."""
    groups = Group.objects.filter(paused_at__isnull=False).order_by("name")
    if group_ids is not None:
        ids = set(group_ids)
        groups = groups.filter(pk__in=ids) if ids else groups.none()
    return {group.pk: pause for group in groups if (pause := _make_pause(group, group.name))}


def read_pauses_of_jobs(jobs: Iterable[Job]) -> dict[int, Pause]:
    """By job id: the pause that applies to the job, if any. At most two statements, however many jobs.

    Groups that are loaded with the jobs are not read again.
    """
    jobs = list(jobs)
    if everything := global_pause():
        return {job.pk: everything for job in jobs}
    carried = {job.group.pk: job.group for job in jobs if job._state.fields_cache.get("group") and job.group}
    groups = read_group_pauses({job.group_id for job in jobs if job.group_id is not None} - carried.keys())
    groups |= {pk: found for pk, group in carried.items() if (found := _make_pause(group, group.name))}
    return {job.pk: groups[job.group_id] for job in jobs if job.group_id in groups}


@retry_after_conflict
def pause(paused_by: str, reason: str = "", group: Group | None = None) -> bool:
    """Pause all jobs, or this group. ``False``: it was paused already, and nothing changed."""
    if group is None:
        Switch.objects.get_or_create(pk=SWITCH_ID)
    rows = Switch.objects.filter(pk=SWITCH_ID) if group is None else Group.objects.filter(pk=group.pk)
    values: dict[str, Any] = {
        "paused_at": NowPlus(),
        "paused_by": paused_by[:150],
        "paused_reason": reason.strip()[:500],
    }
    values["alert_revision"] = F("alert_revision") + 1
    return bool(rows.filter(paused_at=None).update(**values))


def resume(group: Group | None = None) -> bool:
    """End the pause of all jobs, or of this group. ``False``: it was not paused. Does not change the setting."""
    rows = Switch.objects.filter(pk=SWITCH_ID) if group is None else Group.objects.filter(pk=group.pk)
    values: dict[str, Any] = {"paused_at": None, "paused_by": "", "paused_reason": ""}
    values |= {"resumed_at": NowPlus(), "alert_revision": F("alert_revision") + 1}
    return bool(rows.filter(paused_at__isnull=False).update(**values))


def _add_full_stop(reason: str) -> str:
    """The reason with a full stop at its end: other sentences follow it on a page."""
    return reason if not reason or reason[-1] in ".!?…" else f"{reason}."


def _make_pause(row: Switch | Group | None, name: str = "") -> Pause | None:
    if row is None or row.paused_at is None:
        return None
    return Pause(name, row.paused_at, row.paused_by, row.paused_reason)
