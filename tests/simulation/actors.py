"""The processes of a simulated site: schedulers, the broker, workers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import Error

from chroniker.conf import DEFAULTS, settings
from chroniker.eligibility.hosts import WorkerReport
from chroniker.executors.base import Executor
from chroniker.executors.database_report import DatabaseReport
from chroniker.models import Job, Run
from chroniker.scheduler import loop, tick
from chroniker.worker import supervisor
from chroniker.worker.run_remains import LeftoverProcessSweeper
from tests.simulation.channels import Event
from tests.simulation.machine import SimulatedHost
from tests.simulation.processes import Host, Process
from tests.simulation.world import World, active

if TYPE_CHECKING:
    from chroniker.scheduler.tick_result import TickResult


class BrokerExecutor(Executor):
    """Sends a message per run to the simulated broker."""

    def dispatch(self, runs: Sequence[Run]) -> Collection[UUID]:
        world = active()
        if world.chance("broker down"):
            raise ConnectionError("simulated: no broker")
        for run in runs:
            world.check_alive()
            world.broker.send(run.pk, run.token, run.required_host)
            if world.chance("kill in dispatch"):
                world.process.kill()
                world.check_alive()
        return [run.pk for run in runs]

    def queue_for(self, job: Job) -> str | None:
        """Claims record their dispatch in advance, except those of jobs with a required host."""
        return None if job.hostname else ""

    def request_stop(self, run_id: UUID) -> None:
        for host in active().hosts.values():
            socket = host.wake_sockets.get(run_id)
            if socket is not None and not socket.closed and not active().chance("message lost"):
                socket.send(b"!")


class Broker:
    """Loses, doubles, delays and reorders messages."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.held: list[tuple[UUID, int, str]] | None = None  #: a scene delivers by itself what is collected here

    def send(self, run_id: UUID, token: int, required_host: str) -> None:
        world = self.world
        world.note("message", f"run {token}", required_host)
        if self.held is not None:
            self.held.append((run_id, token, required_host))
            return
        copies = 0 if world.chance("message lost") else 2 if world.chance("message twice") else 1
        for _copy in range(copies):
            late = world.rng.uniform(1, 90) if world.chance("message late") else world.rng.expovariate(20)
            world.after(late, lambda: self.deliver(run_id, token, required_host))

    def deliver(self, run_id: UUID, token: int, required_host: str) -> Process | None:
        world = self.world
        names = sorted(world.hosts) if not required_host else [required_host] if required_host in world.hosts else []
        if not names:
            return None
        host = world.hosts[world.rng.choice(names)]
        if host.paused_until > world.now:
            world.at(host.paused_until + 0.01, lambda: self.deliver(run_id, token, required_host))
            return None
        if host.idle_workers:
            worker = host.idle_workers.pop()
            if not worker.dead:
                worker.start(_execute, run_id, token)
                return worker
        worker = Process(host, f"supervisor {next(world.numbers)} of run {token}", "supervisor")
        worker.start(_execute, run_id, token)
        return worker


def _execute(run_id: UUID, token: int) -> None:
    """As the Celery task: execute the run of the message, then claim what waited for it."""
    world = active()
    report = DatabaseReport(run_id, token)
    machine: Any = SimulatedHost()
    try:
        ending = supervisor.execute_run(report, supervisor.Worker(machine, settings.hostname))
        if ending is not None or report.status is not None:
            run = Run.objects.filter(pk=run_id).first()
            if run is not None:
                world.process.pass_began_at = world.now
                tick.claim_after_run(run.job_id)
    except (Error, OSError) as error:
        world.note("task fails", type(error).__name__, error)
    if world.keepers_serve_again:
        world.process.host.idle_workers.append(world.process)
    else:
        world.process.kill()


class _Waiting:
    """What `TickLoop.tick_until_shutdown` waits with."""

    @staticmethod
    def worker_reports() -> list[WorkerReport]:
        return [WorkerReport("default")]

    @staticmethod
    def wait(seconds: float) -> None:
        active().block(seconds)


def start_scheduler(world: World, host: Host) -> None:
    """A cronserver: the real `Ticker`, started again some time after it died."""
    process = Process(host, f"scheduler of {host.name}", "scheduler")
    runs: Any = _Waiting()
    asked: Any = False

    def serve() -> None:
        loop.TickLoop(world.period, _note_tick, None).tick_until_shutdown(runs, asked)

    process.start(serve, delay=world.rng.random())
    _start_again_after_death(world, process, lambda: start_scheduler(world, host))


def start_worker(world: World, host: Host) -> None:
    """A worker, as far as it sweeps: the product's own loop. Its runs are processes of their own here."""
    process = Process(host, f"worker of {host.name}", "worker")
    every = float(host.settings["CHRONIKER_LOCK_TIMEOUT"]) / DEFAULTS["CHRONIKER_HEARTBEAT_MISSES"]

    def serve() -> None:
        sweeper = LeftoverProcessSweeper(Path(), every)
        vars(sweeper)["_ended"] = Event()
        sweeper.run()

    process.start(serve, delay=world.rng.random())
    _start_again_after_death(world, process, lambda: start_worker(world, host))


def _start_again_after_death(world: World, process: Process, start: Callable[[], None]) -> None:
    """As a supervisor of processes does, after a random time, while the world still starts processes."""

    def start_again() -> None:
        if world.schedulers_run:
            start()

    def restart() -> None:
        if world.schedulers_run:
            world.after(world.rng.expovariate(1 / 4), start_again)

    process.at_death.append(restart)


def _note_tick(done: TickResult) -> None:
    active().process.pass_began_at = active().now
    host = active().process.host.name
    active().note("tick", host, f"claimed {len(done.claimed)} lost {len(done.lost)}", str(done.suspended_because))
