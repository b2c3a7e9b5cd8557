"""What is paused, since when, by whom and why: everything, by a setting or by a switch, or the jobs of a group.

While something is paused nothing of it is claimed, and what runs is finished. Its instants stay due: when it is
resumed, each job's misfire grace says whether they are run, once for all, or recorded as skipped.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Exists
from django.utils import timezone
from django.utils.translation import gettext as _

from chroniker.clock.database_clock import FromNow
from chroniker.conf import settings
from chroniker.models import Group, Job, Switch

#: The number of the one row over all jobs.
ALL = 1


@dataclass(frozen=True, slots=True)
class Pause:
    """In words, when printed. ``group`` is empty for the pause over all jobs."""

    group: str = ""
    since: dt.datetime | None = None  #: none: the setting, of which nobody knows since when
    by: str = ""
    reason: str = ""

    def __str__(self) -> str:
        words = {"group": self.group, "who": self.by, "reason": self.reason}
        if self.since is None:
            return _("The scheduler is paused.")
        words["time"] = f"{timezone.localtime(self.since):%Y-%m-%d %H:%M:%S}"
        if self.group:
            said = _("The group “%(group)s” is paused since %(time)s by %(who)s.") % words
        else:
            said = _("The scheduler is paused since %(time)s by %(who)s.") % words
        return f"{said} {_as_a_sentence(self.reason)}".strip()


def global_pause() -> Pause | None:
    """The pause over all jobs. At most one statement; the setting needs none."""
    if settings.paused:
        return Pause()
    return _of(Switch.objects.filter(pk=ALL, paused_at__isnull=False).first())


def switched_off() -> Exists:
    """SQL condition: the switch over all jobs says "paused". A claim asks it in the statement that locks."""
    return Exists(Switch.objects.filter(pk=ALL, paused_at__isnull=False))


def group_pauses(group_ids: Iterable[int] | None = None) -> dict[int, Pause]:
    """The groups that are paused, of all or of these, by name. No statement for none."""
    groups = Group.objects.filter(paused_at__isnull=False).order_by("name")
    if group_ids is not None:
        ids = set(group_ids)
        groups = groups.filter(pk__in=ids) if ids else groups.none()
    return {group.pk: pause for group in groups if (pause := _of(group, group.name))}


def pauses_for(jobs: Iterable[Job]) -> dict[int, Pause]:
    """By job id: the pause that holds the job, if one does. At most two statements, however many jobs."""
    jobs = list(jobs)
    if everything := global_pause():
        return {job.pk: everything for job in jobs}
    groups = group_pauses(job.group_id for job in jobs if job.group_id is not None)
    return {job.pk: groups[job.group_id] for job in jobs if job.group_id in groups}


def pause(by: str, reason: str = "", group: Group | None = None) -> bool:
    """Pause all jobs, or this group; ``False``: it was paused already, and stays as it was."""
    if group is None:
        Switch.objects.get_or_create(pk=ALL)
    rows = Switch.objects.filter(pk=ALL) if group is None else Group.objects.filter(pk=group.pk)
    values = {"paused_at": FromNow(), "paused_by": by[:150], "paused_reason": reason.strip()[:500]}
    return bool(rows.filter(paused_at=None).update(**values))


def resume(group: Group | None = None) -> bool:
    """Lift the pause over all jobs, or this group; ``False``: there was none. The setting stays what it is."""
    rows = Switch.objects.filter(pk=ALL) if group is None else Group.objects.filter(pk=group.pk)
    return bool(rows.filter(paused_at__isnull=False).update(paused_at=None, paused_by="", paused_reason=""))


def _as_a_sentence(reason: str) -> str:
    """Others follow it on a page."""
    return reason if not reason or reason[-1] in ".!?…" else f"{reason}."


def _of(row: Switch | Group | None, name: str = "") -> Pause | None:
    if row is None or row.paused_at is None:
        return None
    return Pause(name, row.paused_at, row.paused_by, row.paused_reason)
