"""What people and programs do in a random history: processes with the product's own functions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from django.db import Error

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import draining, pauses
from chroniker.exceptions import ChronikerError
from chroniker.models import OPEN_STATUSES, Backfill, BackfillFailurePolicy, InstantSelection, Job, JobState, Run
from chroniker.reasons import Code
from chroniker.scheduler import adoption, backfilling, events, manual_runs, stopping
from tests.simulation import site
from tests.simulation.world import World

EDITS = ("*/5 * * * * *", "*/7 * * * * *", "*/10 * * * * *")
A_PERSON = "a person"
KEYS = (None, None, "one", "two", "three")


def act(world: World, action: str, job_id: int) -> None:
    world.note("person", action, f"job {job_id}")
    try:
        ACTIONS[action](world, job_id)
    except (ChronikerError, Error) as error:
        world.note("person is refused", type(error).__name__)


def _run_now(world: World, job_id: int) -> None:
    manual_runs.run_now(Job.objects.get(pk=job_id), A_PERSON)


def _stop(world: World, job_id: int) -> None:
    for run in Run.objects.filter(job=job_id, status__in=OPEN_STATUSES)[:1]:
        stopping.stop_run(run.pk, A_PERSON)


def _force_run(world: World, job_id: int) -> None:
    Job.objects.filter(pk=job_id).update(force_run=True)


def _edit(world: World, job_id: int) -> None:
    site.edit_cron(world, job_id, world.rng.choice(EDITS))


def _switch(world: World, job_id: int) -> None:
    world.promises.ledger.edited.add(job_id)
    Job.objects.filter(pk=job_id).update(enabled=False)
    world.block(world.rng.expovariate(1 / 10))
    Job.objects.filter(pk=job_id).update(enabled=True)


def _pause(world: World, job_id: int) -> None:
    pauses.pause(A_PERSON)
    world.block(world.rng.expovariate(1 / 10))
    pauses.resume()


def _resume(world: World, job_id: int) -> None:
    lifecycle.resume_jobs([job_id])


def _trigger(world: World, job_id: int) -> None:
    """A program: each key is requested several times."""
    row = events.trigger(Job.objects.get(pk=job_id), key=world.rng.choice(KEYS))
    world.promises.activations.was_made(job_id, row.key, row.pk)


def _discard(world: World, job_id: int) -> None:
    lifecycle.end_waiting_activations_of_jobs([job_id], Code.DISCARDED)


def _backfill(world: World, job_id: int) -> None:
    """Of some scheduled times that the schedule has decided."""
    rng, job = world.rng, Job.objects.get(pk=job_id)
    until = JobState.objects.values_list("covered_until", flat=True).get(pk=job_id)
    if until is not None:
        first = until - dt.timedelta(seconds=rng.uniform(5, 60))
        which, on_failure = rng.choice(list(InstantSelection)), rng.choice(list(BackfillFailurePolicy))
        backfilling.request_backfill(
            backfilling.BackfillRequest(job, first, until, which=which, on_failure=on_failure), A_PERSON
        )


def _cancel_backfill(world: World, job_id: int) -> None:
    for pk in Backfill.objects.filter(job=job_id, finished_at=None).values_list("pk", flat=True):
        backfilling.cancel_backfill(pk, A_PERSON, stop_run=world.rng.random() < 0.5)


def _cancel_retry(world: World, job_id: int) -> None:
    lifecycle.cancel_retry(job_id)


def _hasten_retry(world: World, job_id: int) -> None:
    lifecycle.make_retry_due_now(job_id)


def _mute(world: World, job_id: int) -> None:
    until = database_now() + dt.timedelta(seconds=world.rng.uniform(3, 15))
    lifecycle.mute(until, A_PERSON, job=Job.objects.get(pk=job_id))


def _drain(world: World, job_id: int) -> None:
    """Of the host on which this process runs."""
    draining.record_drain_of_this_host(A_PERSON)
    world.block(world.rng.expovariate(1 / 10))
    draining.record_end_of_drain_of_this_host()


def adopt(world: World) -> None:
    """A person adopts the copy of the database. If it fails, it is repeated."""
    rng = world.rng
    choices = adoption.AdoptionChoices(skip_missed=rng.random() < 0.5, stop_queued=rng.random() < 0.5)
    while True:
        try:
            adoption.adopt_database(A_PERSON, choices)
            return
        except Error as error:
            world.note("person is refused", type(error).__name__)
            world.block(1.0)


ACTIONS: dict[str, Callable[[World, int], None]] = {
    "run now": _run_now,
    "stop": _stop,
    "force run": _force_run,
    "edit": _edit,
    "switch": _switch,
    "pause": _pause,
    "resume": _resume,
    "trigger": _trigger,
    "discard": _discard,
    "backfill": _backfill,
    "cancel backfill": _cancel_backfill,
    "cancel retry": _cancel_retry,
    "hasten retry": _hasten_retry,
    "mute": _mute,
    "drain": _drain,
}
