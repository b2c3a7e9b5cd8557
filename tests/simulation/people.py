"""What people do in a random history: processes with the product's own functions."""

from __future__ import annotations

from django.db import Error

from chroniker import lifecycle
from chroniker.eligibility import pauses
from chroniker.exceptions import ClaimRefused
from chroniker.models import OPEN, Job, Run
from chroniker.scheduler import manual_runs, stopping
from tests.simulation import site
from tests.simulation.world import World

ACTIONS = ("run now", "stop", "force run", "edit", "switch", "pause", "resume")
EDITS = ("*/5 * * * * *", "*/7 * * * * *", "*/10 * * * * *")


def act(world: World, action: str, job_id: int) -> None:
    world.note("person", action, f"job {job_id}")
    try:
        _act(world, action, job_id)
    except (ClaimRefused, Error) as error:
        world.note("person is refused", type(error).__name__)


def _act(world: World, action: str, job_id: int) -> None:
    rng = world.rng
    if action == "run now":
        manual_runs.run_now(Job.objects.get(pk=job_id), "a person")
    elif action == "stop":
        for run in Run.objects.filter(job=job_id, status__in=OPEN)[:1]:
            stopping.stop(run.pk, "a person")
    elif action == "force run":
        Job.objects.filter(pk=job_id).update(force_run=True)
    elif action == "edit":
        site.edit_cron(world, job_id, rng.choice(EDITS))
    elif action == "switch":
        world.promises.ledger.edited.add(job_id)
        Job.objects.filter(pk=job_id).update(enabled=False)
        world.block(rng.expovariate(1 / 10))
        Job.objects.filter(pk=job_id).update(enabled=True)
    elif action == "resume":
        lifecycle.resume_jobs([job_id])
    elif action == "pause":
        pauses.pause("a person")
        world.block(rng.expovariate(1 / 10))
        pauses.resume()
