"""A world with its hosts, jobs and checks: fixed for a scene, drawn from the seed for a random history."""

from __future__ import annotations

from typing import Any

from chroniker.models import EVERY_HOST, CatchUp, Group, Job, JobDependency, Overlap
from tests.simulation import channels, database, features
from tests.simulation.actors import Broker
from tests.simulation.checker.promises import Promises
from tests.simulation.checker.rows import true_time
from tests.simulation.processes import Host
from tests.simulation.world import World, activate

SECONDS_CRONS = ("*/5 * * * * *", "*/10 * * * * *", "*/15 * * * * *", "*/30 * * * * *", "* * * * *")


def create_world(seed: int, verbose: bool = False) -> World:
    world = activate(World(seed, verbose))
    channels.reset()
    database.restore(world)
    world.promises = Promises(world)
    world.witness = world.promises.witness
    world.broker = Broker(world)
    world.after_commit = world.promises.after_commit
    return world


def add_host(world: World, name: str, **settings: Any) -> Host:
    host = world.hosts[name] = Host(world, name, **{"CHRONIKER_HOSTNAME": name, **settings})
    return host


def add_job(world: World, name: str, cron: str, **fields: Any) -> Job:
    """Its timeline begins now."""
    job = Job.objects.create(
        name=name, raw_command="work", cron=cron, timezone="UTC", edited_at=true_time(world), **fields
    )
    ledger = world.promises.ledger
    ledger.since[job.pk] = true_time(world)
    ledger.crons[job.spec.fingerprint()] = cron
    return job


def edit_cron(world: World, job_id: int, cron: str, **fields: Any) -> None:
    """An edit by a person: the ledger's checks know the new schedule from its fingerprint."""
    job = Job.objects.get(pk=job_id)
    job.cron = cron
    ledger = world.promises.ledger
    ledger.edited.add(job_id)
    ledger.crons[job.spec.fingerprint()] = cron
    Job.objects.filter(pk=job_id).update(cron=cron, **fields)


def draw_catch_up(world: World) -> dict[str, Any]:
    rng = world.rng
    catch_up = rng.choice([CatchUp.COALESCE, CatchUp.COALESCE, CatchUp.EACH, CatchUp.LATEST])
    each = catch_up == CatchUp.EACH
    return {
        "catch_up": catch_up,
        "hold_on_failure": rng.random() < 0.25,
        "overlap": Overlap.WAIT if each else rng.choice([Overlap.WAIT, Overlap.WAIT, Overlap.SKIP, Overlap.REPLACE]),
        "misfire_grace_seconds": rng.choice([10, 30]) if each else rng.choice([None, None, 10]),
    }


def draw_jobs(world: World, *, lock_files: bool) -> list[int]:
    """Two to four jobs with different rules; often the last one waits for the first."""
    rng = world.rng
    group = Group.objects.create(name="g", limit=1) if rng.random() < 0.6 else None
    has_alerts = rng.random() < 0.5
    if has_alerts and rng.random() < 0.7:
        features.add_channel()
    jobs = []
    for number in range(rng.choice([2, 3, 4])):
        job = add_job(
            world,
            f"job {number}",
            rng.choice(SECONDS_CRONS),
            max_retries=rng.choice([0, 2]),
            retry_backoff_seconds=rng.choice([1, 5]),
            retry_on_lost=rng.random() < 0.5,
            timeout_seconds=rng.choice([None, None, 15]),
            group=group if rng.random() < 0.5 else None,
            hostname=rng.choice(["", "", "", "a", EVERY_HOST]) if not lock_files else "",
            jitter_seconds=rng.choice([0, 0, 3]),
            **draw_catch_up(world),
            **(features.draw_alerts(world) if has_alerts else {}),
        )
        jobs.append(job.pk)
    if rng.random() < 0.6:
        JobDependency.objects.create(
            dependent_id=jobs[-1],
            dependee_id=jobs[0],
            wait_for_completion=True,
            wait_for_success=False,
            wait_for_next_run=rng.random() < 0.3,
        )
    if rng.random() < 0.5:
        features.draw_triggers(world, jobs)
    return jobs
