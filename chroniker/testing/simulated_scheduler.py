"""Plays the schedule of all jobs in simulated time: from one moment at which something is due to the next."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from django.db.models import Q
from django.test import override_settings

from chroniker import outbox
from chroniker.clock import simulated_time
from chroniker.conf import settings
from chroniker.eligibility import hosts
from chroniker.executors import executors
from chroniker.models import EVERY_HOST, Job, JobState, Run, Status
from chroniker.scheduler import fleet_work, pending_work_queries
from chroniker.scheduler.tick import claim_after_run, tick
from chroniker.testing.commits import run_commit_callbacks
from chroniker.testing.simulated_fleet import END_STATUSES, NO_DURATION, SimulatedFleet, SimulatedRunEnds

#: A lease of the simulation, in seconds: longer than a run may last. PostgreSQL refuses a longer idle limit.
LEASE_SECONDS = 20 * 86_400
MAX_RUN_DURATION = dt.timedelta(days=14)
#: More runs that end at one moment are a loop: a retry without a back-off, for example.
MAX_RUNS_ENDING_AT_ONCE = 10_000


class Scheduler:
    """The scheduler and its workers in simulated time. Made by ``scheduler``."""

    def __init__(self, fleet: SimulatedFleet, start: dt.datetime) -> None:
        self._fleet = fleet
        self._now = start

    @property
    def now(self) -> dt.datetime:
        """The simulated time, in the time zone of the start."""
        return self._now

    def advance(self, **duration: float) -> None:
        """Let this time pass: ``advance(hours=24)``, with the arguments of ``timedelta``. All that is due happens."""
        self.advance_to(self._now + dt.timedelta(**duration))

    def advance_to(self, moment: dt.datetime) -> None:
        """Let the time pass until ``moment``, which is aware and not earlier than ``now``."""
        end = _require_aware(moment)
        if end < self._now:
            raise ValueError(f"Time cannot go back: it is {self._now}, and {end} is earlier.")
        has_host_runs = Job.objects.filter(hostname=EVERY_HOST, enabled=True).exists()
        while True:
            if has_host_runs:
                hosts.record_heartbeat([hosts.WorkerReport(alias) for alias in executors])
            self._tick_and_end_due_runs()
            due = self._next_due_time()
            if due is None or due > end:
                break
            self._set_current_time(due)
        self._set_current_time(end)

    def runs(self, job: Job | str) -> list[Run]:
        """The runs of this job, the oldest first, skipped ones too. At most ``maximum_log_entries`` are kept."""
        rows = Run.objects.filter(parent=None).select_related("job").order_by("token")
        return list(rows.filter(job__name=job) if isinstance(job, str) else rows.filter(job=job))

    def ends(self, job: str, *statuses: Status | str, after: dt.timedelta = NO_DURATION) -> None:
        """From now on runs of this job end with these statuses, one after the other; the last one is repeated.

        ``after``: how long each lasts. Without this call a run succeeds at once. A job's timeout still applies.
        """
        chosen = [Status(each) for each in statuses] or [Status.SUCCEEDED]
        if not set(chosen) <= END_STATUSES:
            raise ValueError(f"A run ends with one of: {', '.join(sorted(END_STATUSES))}.")
        if not NO_DURATION <= after <= MAX_RUN_DURATION:
            raise ValueError(f"A simulated run lasts at most {MAX_RUN_DURATION.days} days.")
        if not Job.objects.filter(name=job).exists():
            raise LookupError(f"There is no job “{job}”.")
        self._fleet.scripts[job] = SimulatedRunEnds(chosen, after)

    def _tick_and_end_due_runs(self) -> None:
        """Tick; end the runs whose time has come, each with the claims that waited for it; send the messages."""
        tick()
        ends = 0
        while (end := self._fleet.next_end_time) is not None and end <= self._now:
            claim_after_run(self._fleet.finish_next_run())
            if (ends := ends + 1) > MAX_RUNS_ENDING_AT_ONCE:
                raise RuntimeError(
                    f"More than {MAX_RUNS_ENDING_AT_ONCE} runs end at {self._now}: perhaps retries without a back-off."
                )
        if outbox.is_message_due():
            outbox.send_due_messages()

    def _next_due_time(self) -> dt.datetime | None:
        moments = (pending_work_queries.next_due_time(self._now), self._fleet.next_end_time)
        return min((each for each in moments if each is not None), default=None)

    def _set_current_time(self, moment: dt.datetime) -> None:
        self._now = moment.astimezone(self._now.tzinfo)
        simulated_time.set_simulated_time(moment)


@contextmanager
def scheduler(start: dt.datetime) -> Iterator[Scheduler]:
    """The scheduler in simulated time, which begins at ``start`` and moves when ``advance`` is called.

    The timelines of jobs that were never scheduled begin at ``start``. The code that decides is the real one, on the
    test's database; workers and their commands are simulated (``Scheduler.ends``). Mails are sent, as Django's test
    runner sends them; webhooks are not. *Limits:* the clock of this process's Python stays the real one; no run is lost
    because its worker died; a pass takes place when a run, a retry or an end is due, not every few seconds.
    """
    fleet, start = SimulatedFleet(), _require_aware(start)
    backend = {"BACKEND": "chroniker.testing.simulated_fleet.SimulatedExecutor", "OPTIONS": {"fleet": fleet}}
    replaced = {
        "CHRONIKER_EXECUTORS": dict.fromkeys(settings.executors, backend),
        "CHRONIKER_CHECK_LOCK_FILE": False,
        "CHRONIKER_LOCK_TIMEOUT": LEASE_SECONDS,
        "CHRONIKER_WEBHOOKS": (),
    }
    with (
        override_settings(**replaced),
        # Statistics of the console, which would take most of the time.
        mock.patch.dict(fleet_work.PERIODIC_WORK_BY_NAME, clear=True),
        simulated_time.simulate_time(),
        run_commit_callbacks(settings.database),
    ):
        simulated_time.set_simulated_time(start)
        _start_timelines(start)
        yield Scheduler(fleet, start)
    executors.close()


def _start_timelines(start: dt.datetime) -> None:
    later = JobState.objects.filter(covered_until__gt=start).select_related("job").first()
    if later is not None:
        raise ValueError(
            f"The job “{later.job}” was scheduled until {later.covered_until}: begin later, or before it is started."
        )
    Job.objects.filter(Q(edited_at__gt=start) | Q(state=None)).update(edited_at=start)


def _require_aware(moment: dt.datetime) -> dt.datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone: add tzinfo=UTC.")
    return moment
