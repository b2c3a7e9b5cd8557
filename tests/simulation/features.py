"""What a random history has besides jobs and hosts, each in some of them: triggers between jobs, alerts, a channel."""

from __future__ import annotations

from typing import Any

from chroniker.models import Channel, ChannelKind, JobTrigger, TriggerOn
from tests.simulation import people
from tests.simulation.checker.rows import rows
from tests.simulation.processes import Process
from tests.simulation.world import World

#: A minute after the beginning, in the time zone of all jobs.
DEADLINE = "23:01"
ORIGINAL = "the original"


def draw_alerts(world: World) -> dict[str, Any]:
    """The fields of one job."""
    rng = world.rng
    return {
        "alert_start_seconds": rng.choice([None, 3, 10]),
        "alert_run_seconds": rng.choice([None, 5, 15]),
        "alert_failures": rng.choice([None, None, 0, 2]),
        "alert_done_by": rng.choice(["", "", DEADLINE]),
        "alert_repeat_seconds": rng.choice([None, None, None, 7]),
    }


def draw_triggers(world: World, jobs: list[int]) -> None:
    """Some jobs start later ones. Never in a circle."""
    for place, source in enumerate(jobs):
        for target in jobs[place + 1 :]:
            if world.rng.random() < 0.4:
                on = world.rng.choice(list(TriggerOn))
                JobTrigger.objects.create(source_id=source, target_id=target, on=on)


def add_channel() -> None:
    """A default channel for all alerts. Nothing is sent: its messages stay in the outbox."""
    Channel.objects.create(name="c", kind=ChannelKind.WEBHOOK, target="https://example.org/", is_default=True)


def copy_database(world: World) -> None:
    """The hosts go on with a copy, which a person adopts some time later; unless they work on such a one already."""
    if world.installation == recorded_name():
        become_copy(world)
        world.after(world.rng.uniform(1, 30), lambda: start_adoption(world))


def become_copy(world: World) -> None:
    """From now on all hosts work on a copy of the database: what ran, runs elsewhere, on the original."""
    world.copies += 1
    world.note("fault", "copy of the database", world.copies)
    for process in list(world.processes.values()):
        process.kill()
    for host in world.hosts.values():
        host.forget_processes()
    name_database(world, f"copy {world.copies}")


def start_adoption(world: World) -> None:
    """By a person, unless another one has done it."""
    if world.installation != recorded_name():
        host = world.rng.choice(list(world.hosts.values()))
        Process(host, f"person {next(world.numbers)} who adopts", "person").start(people.adopt, world)


def end_copy(world: World) -> None:
    """A copy that still waits is adopted now."""
    start_adoption(world)
    for _each in range(30):
        if world.installation == recorded_name():
            break
        world.run(until=world.now + 1)


def recorded_name() -> str:
    """The name of the database, as it is stored in it. Empty: it is not yet."""
    found = rows("SELECT installation FROM chroniker_switch")
    return found[0][0] if found else ""


def name_database(world: World, name: str) -> None:
    """The database that the hosts work on, in the settings of all of them."""
    world.installation = name
    for host in world.hosts.values():
        host.settings["CHRONIKER_INSTALLATION"] = name
