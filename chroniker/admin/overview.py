"""What a page shows about jobs: one look at the database for all of its rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from chroniker import due
from chroniker.admin.cells import NOTHING, Cell, distance, moment, progress
from chroniker.clock import database_now
from chroniker.conf import settings
from chroniker.models import Job, JobState, Lease, Status


@dataclass(frozen=True, slots=True)
class Overview:
    """A job as the machine sees it at ``now``."""

    job: Job
    state: JobState
    lease: Lease | None
    why: str
    now: dt.datetime

    def cells(self) -> dict[str, Cell]:
        """By the name of the list's column."""
        return {
            "state": self._state(),
            "next_run": self._next_run(),
            "progress": self._progress(),
            "last_result": self._last_result(),
            "why": Cell(self.why),
            "doubt": Cell("" if self._is_plain() else self.why),
        }

    @property
    def is_open(self) -> bool:
        return self.lease is not None

    def _is_plain(self) -> bool:
        """Whether state and next run say it all: it runs, or its time has not come."""
        if self.lease is not None:
            return self.lease.run.status == Status.RUNNING
        waits = self.state.next_run is not None and self.state.next_run > self.now
        return waits and self._state().kind == "idle" and not settings.paused and self.job.edited_at is None

    def _state(self) -> Cell:
        if self.lease is not None:
            return self._open_state(self.lease)
        if not self.job.enabled:
            return Cell(_("disabled"), "disabled")
        if self.state.error:
            return Cell(_("set aside"), "failed")
        if self.state.retry_at is not None:
            return Cell(_("retrying"), "waiting")
        if self.job.force_run or (self.state.next_run is not None and self.state.next_run <= self.now):
            return Cell(_("due"), "waiting")
        if self.state.next_run is None:
            return Cell(_("new"), "idle") if self.job.edited_at else Cell(_("over"), "idle")
        return Cell(_("idle"), "idle")

    def _open_state(self, lease: Lease) -> Cell:
        if lease.run.status != Status.RUNNING:
            return Cell(_("queued"), "queued")
        if lease.run.stop_requested_at is not None:
            return Cell(_("stopping"), "waiting")
        return Cell(_("running"), "running")

    def _next_run(self) -> Cell:
        if self.state.next_run is None or not self.job.enabled:
            return Cell(NOTHING)
        return Cell(moment(self.state.next_run), note=distance(self.state.next_run, self.now))

    def _progress(self) -> Cell:
        if self.lease is None:
            return progress(None, None)
        return progress(self.lease.total_parts, self.lease.total_parts_complete)

    def _last_result(self) -> Cell:
        if not self.state.last_status or self.state.last_finished_at is None:
            return Cell(NOTHING)
        status = Status(self.state.last_status)
        url = f"{reverse('admin:chroniker_run_changelist')}?job={self.job.pk}"
        return Cell(str(status.label), status.lower(), distance(self.state.last_finished_at, self.now), url=url)


def overviews(jobs: Sequence[Job]) -> dict[int, Overview]:
    """By job id. A constant number of statements, however many jobs; one that was never booked has an empty state."""
    now, ids = database_now(), [job.pk for job in jobs]
    states = {state.pk: state for state in JobState.objects.filter(pk__in=ids)}
    leases = {lease.job_id: lease for lease in Lease.objects.filter(job__in=ids, slot="").select_related("run")}
    for job in jobs:
        states.setdefault(job.pk, JobState(job_id=job.pk)).job = job
    reasons = due.why_not(list(states.values()), now)
    return {job.pk: Overview(job, states[job.pk], leases.get(job.pk), reasons[job.pk], now) for job in jobs}
