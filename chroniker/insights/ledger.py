"""What became of each instant of a job, newest first. Writes nothing.

The stored ranges are the facts: a run says which instants it covers, from its first to its last. Those between are
computed, with the job's present schedule. Where that has changed since, they are marked as not certain.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker.exceptions import ScheduleError
from chroniker.models import Job, JobState, Run, Status, Trigger
from chroniker.schedule import latest_until, next_after, validate

#: Runs among which the retries of a page's runs are looked for; and how many after the newest of them.
MOST_ATTEMPTS, FOLLOWING = 500, 100

_TICK = dt.timedelta(microseconds=1)


class NoRun(models.TextChoices):
    """What is said of an instant that no run covers. The values are for programs and stay."""

    DUE = "DUE", _("due")
    DISABLED = "DISABLED", _("disabled")
    NO_RECORD = "NO_RECORD", _("no record")


@dataclass(frozen=True, slots=True)
class Entry:
    """One instant; or, without a record, all from ``first`` to ``instant``."""

    instant: dt.datetime
    run: Run | None = None
    without: NoRun | None = None
    certain: bool = True  #: whether the schedule that gave it is known; the ends of a stored range always are
    first: dt.datetime | None = None
    retry: Run | None = None  #: the last attempt that followed ``run``, if there was another

    @property
    def verdict(self) -> Status | NoRun:
        """How the attempt that counts ended: the last one."""
        if self.run is None:
            return self.without or NoRun.NO_RECORD
        return Status((self.retry or self.run).status)

    @property
    def started_after(self) -> dt.timedelta | None:
        """How long after the instant its (first) attempt started."""
        started = self.run.started_at if self.run else None
        return started - self.instant if started else None


@dataclass(frozen=True, slots=True)
class Page:
    entries: list[Entry]
    more: bool  #: whether there are older ones


def page(job: Job, state: JobState, now: dt.datetime, until: dt.datetime | None = None, *, size: int) -> Page:
    """The ``size`` newest instants that are not later than ``until`` (nor than ``now``): at most two statements.

    Each run covers one instant at least, so no more than ``size + 1`` runs are read, by the index on (job, slot,
    scheduled_for); and no more instants than that are computed, however many a run covers.
    """
    bound = min(until or now, now)
    ranges = Run.objects.filter(job=job.pk, slot="", scheduled_for__lte=bound)
    runs = list(ranges.order_by("-scheduled_for")[: size + 1])
    walk = _Walk(job, state, bound)
    found = list(islice(walk.entries(runs, is_all=len(runs) <= size), size + 1))
    return Page(_with_retries(job.pk, found[:size]), more=len(found) > size)


class _Walk:
    """From ``bound`` back through a timeline."""

    def __init__(self, job: Job, state: JobState, bound: dt.datetime) -> None:
        self.job, self.state, self.bound = job, state, bound
        try:
            validate(job.spec)
            self.computable = True
        except ScheduleError:  # it was set aside: what is stored is all that can be said
            self.computable = False
        self.is_same = job.spec.fingerprint() == state.last_fingerprint

    def entries(self, runs: Iterable[Run], *, is_all: bool) -> Iterator[Entry]:
        """``is_all``: there are no older runs than these."""
        accounted = self.state.covered_until
        if accounted is None:
            return
        yield from self._pending(accounted)
        upper = min(self.bound, accounted)
        for run in runs:
            assert run.scheduled_for is not None and run.covered_until is not None
            yield from self._no_record(run.covered_until, upper)
            for instant, certain in self._covered(run.scheduled_for, run.covered_until):
                yield Entry(instant, run, certain=certain)
            upper = run.scheduled_for - _TICK
        if is_all and self.state.fingerprint_since is not None:
            yield from self._no_record(self.state.fingerprint_since, upper)

    def _pending(self, accounted: dt.datetime) -> Iterator[Entry]:
        """What no run covers yet: its time has come, and no tick has claimed it."""
        without = NoRun.DUE if self.job.enabled else NoRun.DISABLED
        instant = self._latest(self.bound)
        while instant is not None and instant > accounted:
            yield Entry(instant, without=without, certain=self.is_same)
            instant = self._latest(instant - _TICK)

    def _covered(self, first: dt.datetime, last: dt.datetime) -> Iterator[tuple[dt.datetime, bool]]:
        certain, latest = self._is_certain(first), min(last, self.bound)
        # A range that an edit closed ends with the edit, which is no instant: those lie on whole seconds.
        if not certain and first < last == latest and not last.microsecond:
            yield last, True
            latest = last - _TICK
        instant = self._latest(latest)
        while instant is not None and instant > first:
            yield instant, certain
            instant = self._latest(instant - _TICK)
        yield first, True

    def _no_record(self, low: dt.datetime, high: dt.datetime) -> Iterator[Entry]:
        """One entry for all instants after ``low``, until ``high``; none where the schedule of that time is unknown.

        There are some where old runs were deleted, and nowhere else: the runs of a job tile its timeline.
        """
        since = self.state.fingerprint_since
        if since is None or not self.is_same or not self.computable:
            return
        first = next_after(self.job.spec, max(low, since))
        if first is not None and first <= high:
            yield Entry(self._latest(high) or first, without=NoRun.NO_RECORD, first=first)

    def _is_certain(self, instant: dt.datetime) -> bool:
        since = self.state.fingerprint_since
        return self.is_same and since is not None and instant > since

    def _latest(self, moment: dt.datetime) -> dt.datetime | None:
        return latest_until(self.job.spec, moment) if self.computable else None


def _with_retries(job_id: int, entries: Sequence[Entry]) -> list[Entry]:
    """Each with the last retry that followed its run: the attempts up to the next that is none."""
    runs = {entry.run.pk: entry.run for entry in entries if entry.run}
    failed = [run.token for run in runs.values() if run.status in (Status.FAILED, Status.TIMED_OUT, Status.LOST)]
    if not failed:
        return list(entries)
    tokens = (min(failed), max(failed) + FOLLOWING)
    attempts = Run.objects.filter(job=job_id, slot="", parent=None, token__range=tokens).exclude(status=Status.SKIPPED)
    of, latest = None, {}
    for attempt in attempts.order_by("token")[:MOST_ATTEMPTS]:
        if attempt.trigger != Trigger.RETRY:
            of = attempt.pk
        elif of in runs:
            latest[of] = attempt
    return [replace(entry, retry=latest.get(entry.run.pk)) if entry.run else entry for entry in entries]
