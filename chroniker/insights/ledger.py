"""The result of each instant of a job, newest first. Read-only.

A run stores the first and the last instant that it covers. The instants between are computed from the job's present
schedule. If the schedule has changed since the run, these are marked as not certain.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from django.db import models
from django.db.models.functions import Coalesce, Least
from django.utils.translation import gettext_lazy as _

from chroniker.exceptions import ScheduleError
from chroniker.models import FAILURE_STATUSES, Job, JobState, Run, Status, Trigger
from chroniker.schedule import latest_instant_until, next_instant_after, validate_schedule

#: The most retries of a page's runs that are read, and the most tokens after the newest run that are searched.
MAX_RETRIES_READ, MAX_FOLLOWING_TOKENS = 500, 100
#: The most runs and instants of ``fetch_entries_between``: one every five minutes for 14 days.
MAX_RUNS = 4032

MICROSECOND = dt.timedelta(microseconds=1)
_EARLIEST_INSTANT = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class NoRunReason(models.TextChoices):
    """The result of an instant that no run covers. The values are a stable interface for programs."""

    DUE = "DUE", _("due")
    DISABLED = "DISABLED", _("disabled")
    NO_RECORD = "NO_RECORD", _("no record")


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One instant; for NO_RECORD, all instants from ``first`` to ``instant``."""

    instant: dt.datetime
    run: Run | None = None
    no_run_reason: NoRunReason | None = None
    certain: bool = True  #: whether it was scheduled for certain; the ends of a stored range always are
    first: dt.datetime | None = None
    retry: Run | None = None  #: the last retry of ``run``, if there was one
    backfill_run: Run | None = None  #: the last backfill run for this instant, if the schedule did not succeed

    @property
    def verdict(self) -> Status | NoRunReason:
        """The status of the last attempt, or the reason why there is no run."""
        if self.last_attempt is None:
            return self.no_run_reason or NoRunReason.NO_RECORD
        return Status(self.last_attempt.status)

    @property
    def is_merged(self) -> bool:
        """Whether its run covers later instants too, so that it has no run of its own."""
        run = self.run
        return run is not None and run.status != Status.SKIPPED and self.instant != (run.covered_until or self.instant)

    @property
    def last_attempt(self) -> Run | None:
        """The run that decides the result."""
        return self.retry or self.run


@dataclass(frozen=True, slots=True)
class LedgerPage:
    entries: list[LedgerEntry]
    has_more: bool  #: older entries


def fetch_newest_entries(
    job: Job, state: JobState, now: dt.datetime, until: dt.datetime | None = None, *, limit: int
) -> LedgerPage:
    """The ``limit`` newest instants up to ``until`` and ``now``, with at most three statements.

    Each run covers at least one instant, so at most ``limit + 1`` runs are read, by the index on (job, slot,
    scheduled_for). At most as many instants are computed, however many a run covers.
    """
    bound = min(until or now, now)
    ranges = Run.objects.filter(job=job.pk, slot="", scheduled_for__lte=bound)
    runs = list(ranges.order_by("-scheduled_for")[: limit + 1])
    walk = _BackwardTimelineWalk(job, state, bound)
    found = list(islice(walk.entries(runs, no_older_runs=len(runs) <= limit), limit + 1))
    return LedgerPage(_add_retries_and_backfills(job.pk, found[:limit]), has_more=len(found) > limit)


def fetch_entries_between(
    job: Job, state: JobState, now: dt.datetime, low: dt.datetime, high: dt.datetime, *, min_entries: int
) -> LedgerPage:
    """All instants from ``low`` to ``high`` and ``now``, newest first; and older ones until there are ``min_entries``.

    At most three statements, and at most ``MAX_RUNS`` runs and instants. ``has_more``: there are older entries.
    """
    bound = min(high, now)
    ranges = Run.objects.filter(job=job.pk, slot="", scheduled_for__lte=bound).order_by("-scheduled_for")
    across = ranges.filter(scheduled_for__lt=low).values("scheduled_for")[:1]
    last_row = ranges.values("scheduled_for")[min_entries : min_entries + 1]
    first = Least(_instant_or_default(across, low), _instant_or_default(last_row, _EARLIEST_INSTANT))
    runs = list(ranges.filter(scheduled_for__gte=first)[: MAX_RUNS + 1])
    walk = _BackwardTimelineWalk(job, state, bound)
    found: list[LedgerEntry] = []
    # If there is a run before `low`, one was read; with more than `min_entries` of them the loop ends at the oldest.
    is_all = len(runs) <= min_entries or (
        len(runs) <= MAX_RUNS and not any(_first_instant(run) < low for run in runs[-1:])
    )
    for entry in walk.entries(runs, no_older_runs=is_all):
        if len(found) == MAX_RUNS or (entry.instant < low and len(found) >= min_entries):
            return LedgerPage(_add_retries_and_backfills(job.pk, found, MAX_RUNS), has_more=True)
        found.append(entry)
    return LedgerPage(_add_retries_and_backfills(job.pk, found, MAX_RUNS), has_more=False)


def _first_instant(run: Run) -> dt.datetime:
    assert run.scheduled_for is not None
    return run.scheduled_for


def _instant_or_default(instants: models.QuerySet[Run, Any], default: dt.datetime) -> Coalesce:
    """SQL expression: the one instant of this query, or ``default`` if it has none."""
    return Coalesce(models.Subquery(instants), models.Value(default, output_field=models.DateTimeField()))


class _BackwardTimelineWalk:
    """Walks a timeline backwards from ``bound``."""

    def __init__(self, job: Job, state: JobState, bound: dt.datetime) -> None:
        self.job, self.state, self.bound = job, state, bound
        try:
            validate_schedule(job.spec)
            self.is_computable = True
        except ScheduleError:  # scheduling is suspended: only stored instants are known
            self.is_computable = False
        self.is_same_schedule = job.spec.fingerprint() == state.last_fingerprint

    def entries(self, runs: Iterable[Run], *, no_older_runs: bool) -> Iterator[LedgerEntry]:
        """``no_older_runs``: there are no older runs than these."""
        accounted = self.state.covered_until
        if accounted is None:
            return
        yield from self._pending_entries(accounted)
        upper = min(self.bound, accounted)
        for run in runs:
            assert run.scheduled_for is not None and run.covered_until is not None
            yield from self._entries_without_record(run.covered_until, upper)
            for instant, certain in self._covered_instants(run.scheduled_for, run.covered_until):
                yield LedgerEntry(instant, run, certain=certain)
            upper = run.scheduled_for - MICROSECOND
        if no_older_runs and self.state.fingerprint_since is not None:
            yield from self._entries_without_record(self.state.fingerprint_since, upper)

    def _pending_entries(self, accounted_until: dt.datetime) -> Iterator[LedgerEntry]:
        """Due instants that no tick has claimed yet."""
        no_run_reason = NoRunReason.DUE if self.job.enabled else NoRunReason.DISABLED
        instant = self._latest_instant_until(self.bound)
        while instant is not None and instant > accounted_until:
            yield LedgerEntry(instant, no_run_reason=no_run_reason, certain=self.is_same_schedule)
            instant = self._latest_instant_until(instant - MICROSECOND)

    def _covered_instants(self, first: dt.datetime, last: dt.datetime) -> Iterator[tuple[dt.datetime, bool]]:
        certain, latest = self._is_certainly_scheduled(first), min(last, self.bound)
        # If an edit closed the range, its end is the time of the edit, not an instant: instants are whole seconds.
        if not certain and first < last == latest and not last.microsecond:
            yield last, True
            latest = last - MICROSECOND
        instant = self._latest_instant_until(latest)
        while instant is not None and instant > first:
            yield instant, certain
            instant = self._latest_instant_until(instant - MICROSECOND)
        yield first, True

    def _entries_without_record(self, low: dt.datetime, high: dt.datetime) -> Iterator[LedgerEntry]:
        """One entry for all instants after ``low``, up to ``high``; none where the schedule of that time is unknown.

        Such gaps exist only where old runs were deleted: the runs of a job cover its timeline without gaps.
        """
        since = self.state.fingerprint_since
        if since is None or not self.is_same_schedule or not self.is_computable:
            return
        first = next_instant_after(self.job.spec, max(low, since))
        if first is not None and first <= high:
            latest = self._latest_instant_until(high) or first
            yield LedgerEntry(latest, no_run_reason=NoRunReason.NO_RECORD, first=first)

    def _is_certainly_scheduled(self, instant: dt.datetime) -> bool:
        since = self.state.fingerprint_since
        return self.is_same_schedule and since is not None and instant > since

    def _latest_instant_until(self, moment: dt.datetime) -> dt.datetime | None:
        return latest_instant_until(self.job.spec, moment) if self.is_computable else None


def _add_retries_and_backfills(
    job_id: int, entries: Sequence[LedgerEntry], limit: int = MAX_RETRIES_READ
) -> list[LedgerEntry]:
    return _add_backfills(job_id, _add_retries(job_id, entries, limit))


def _add_backfills(job_id: int, entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """Add the last run of a backfill to each entry that did not succeed. One statement, or none if all succeeded."""
    open_ends = [entry for entry in entries if entry.verdict != Status.SUCCEEDED]
    if not open_ends:
        return list(entries)
    span = (open_ends[-1].instant, open_ends[0].instant)
    runs = Run.objects.filter(job=job_id, slot="", instant__range=span, origin=Trigger.BACKFILL)
    latest = {run.instant: run for run in runs.order_by("token")[:MAX_RUNS]}
    bad = {id(entry) for entry in open_ends}
    return [replace(entry, backfill_run=latest.get(entry.instant)) if id(entry) in bad else entry for entry in entries]


def _add_retries(job_id: int, entries: Sequence[LedgerEntry], limit: int = MAX_RETRIES_READ) -> list[LedgerEntry]:
    """Add to each entry the last retry of the chain that began with its run."""
    runs = {entry.run.pk: entry.run for entry in entries if entry.run}
    failed = [run.token for run in runs.values() if run.status in FAILURE_STATUSES]
    if not failed:
        return list(entries)
    tokens = (min(failed), max(failed) + MAX_FOLLOWING_TOKENS)
    retries = Run.objects.filter(job=job_id, slot="", parent=None, token__range=tokens, trigger=Trigger.RETRY)
    latest = {retry.chain: retry for retry in retries.exclude(status=Status.SKIPPED).order_by("token")[:limit]}
    return [replace(entry, retry=latest.get(entry.run.token)) if entry.run else entry for entry in entries]
