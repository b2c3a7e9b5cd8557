"""Puts the simulated machine in the place of the real one, once for the Python process.

Nothing of the product's logic is replaced. What the product passes as an argument (machine, tree) needs no entry here;
each entry is something that the product still takes from a module of the standard library.
"""

from __future__ import annotations

import datetime as dt
import importlib
import os as real_os
import pkgutil
import sys
import time as real_time
import types
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from tests.simulation import channels, remembered
from tests.simulation.connections import Connections
from tests.simulation.processes import EPOCH
from tests.simulation.world import active, is_inside

PACKAGES = ("clock", "command_api", "eligibility", "executors", "lifecycle", "models", "process", "scheduler", "worker")


class VirtualTime:
    """`time`: the clocks of the host on which the calling process runs."""

    @staticmethod
    def monotonic() -> float:
        return active().process.host.boot() if is_inside() else real_time.monotonic()

    @staticmethod
    def time() -> float:
        return active().process.host.wall() if is_inside() else EPOCH + active().now

    @staticmethod
    def time_ns() -> int:
        return int(VirtualTime.time() * 1e9)

    @staticmethod
    def sleep(seconds: float) -> None:
        active().block(seconds)


class VirtualOs:
    """`os`: process ids, open files and random numbers are the simulated ones; the rest is the real module."""

    def __getattr__(self, name: str) -> Any:
        return getattr(real_os, name)

    waitstatus_to_exitcode = staticmethod(lambda status: status)
    pidfd_open = staticmethod(lambda pid: pid)
    dup = staticmethod(lambda number: number)

    @staticmethod
    def urandom(size: int) -> bytes:
        return active().rng.randbytes(size)

    @staticmethod
    def getpid() -> int:
        return active().process.pid if is_inside() else 1

    @staticmethod
    def close(number: int) -> None:
        if number in channels.open_files:
            channels.open_files[number].close()

    @staticmethod
    def read(number: int, size: int) -> bytes:
        return channels.open_files[number].recv(size)

    @staticmethod
    def kill(pid: int, number: int) -> None:
        """SIGCONT to a keeper: the simulation stops processes until a time, not until a signal."""


def install() -> None:
    """Django is set up already. Which world is active is looked up at each call."""
    modules = list(_import_product())
    _replace_modules(modules)
    _replace_clock()
    _replace_now(modules)
    _replace_ids()
    _replace_host_files()
    _replace_zones()
    _replace_settings()
    remembered.install()
    Connections.install()


def _import_product() -> Iterator[types.ModuleType]:
    for name in PACKAGES:
        package = importlib.import_module(f"chroniker.{name}")
        yield package
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if not found.name.endswith(("_main", "fork_server")):
                yield importlib.import_module(found.name)


def _replace_modules(modules: list[types.ModuleType]) -> None:
    threading = types.SimpleNamespace(Thread=channels.StartedThread, Condition=channels.Condition, Event=channels.Event)
    replacements: dict[str, Any] = {
        "time": VirtualTime,
        "os": VirtualOs(),
        "select": types.SimpleNamespace(poll=channels.Poll, POLLIN=1, POLLOUT=4),
    }
    of_keepers = ("process.keeper", "process.keeper_client", "process.keeper_process", "process.keeper_protocol")
    with_files = (*of_keepers, "worker.reporter", "worker.output_pump", "models.base")
    for module in modules:
        short = module.__name__.removeprefix("chroniker.")
        names = {"time"} if short != "process.kernel" else set()
        names |= {"os", "select"} if short in with_files else set()
        for name in names & set(vars(module)):
            if isinstance(getattr(module, name), types.ModuleType):
                setattr(module, name, replacements[name])
    # Kept ones would be shared by all simulated processes.
    sys.modules["chroniker.executors.report_connections"].KEPT_VENDORS = ()  # type: ignore[attr-defined]
    reporter: Any = sys.modules["chroniker.worker.reporter"]
    reporter.threading = threading
    reporter.socket = types.SimpleNamespace(socketpair=channels.socketpair)


def _replace_clock() -> None:
    from chroniker.clock import database_clock
    from chroniker.process import kernel

    clock: Any = kernel.clock
    clock.boot = clock.monotonic = lambda: active().process.host.boot()
    clock.wall = VirtualTime.time
    clock.sleep = VirtualTime.sleep
    for vendor in ("sqlite", "postgresql"):
        database_clock._NOW[vendor] = "SIM_NOW(0)"
        database_clock._LATER[vendor] = "SIM_NOW(%s)"
        database_clock._SERVER[vendor] = "SIM_SERVER()"


def _now() -> dt.datetime:
    return dt.datetime.fromtimestamp(VirtualTime.time(), dt.UTC)


def _replace_now(modules: list[types.ModuleType]) -> None:
    """`timezone.now`, also where it is a field's default."""
    from django.apps import apps
    from django.utils import timezone

    real_now = timezone.now
    for module in [*modules, timezone]:
        if vars(module).get("now") is real_now:
            vars(module)["now"] = _now
    for model in apps.get_app_config("chroniker").get_models():
        for field in model._meta.concrete_fields:
            if field.default is real_now:
                field.default = _now
                field.__dict__.pop("_get_default", None)


def _uuid4() -> UUID:
    return UUID(int=active().rng.getrandbits(128), version=4)


def _replace_ids() -> None:
    from chroniker.executors import database_report
    from chroniker.lifecycle import host_runs, transactions

    for module in (database_report, host_runs):
        vars(module)["uuid4"] = _uuid4
    uniform = types.SimpleNamespace(uniform=lambda low, high: active().rng.uniform(low, high))
    vars(transactions)["random"] = uniform


def _replace_host_files() -> None:
    from chroniker import outbox
    from chroniker.clock import clock_state
    from chroniker.process import process_tree, progress, run_marker
    from chroniker.worker import run_lock
    from tests.simulation import machine

    def boot_id() -> str:
        return f"boot {active().process.host.boots}"

    def read() -> Any:
        host = active().process.host
        state = host.clock_state
        return state if state is not None and state.boot == boot_id() and state.seen <= host.boot() else None

    def write(state: Any) -> None:
        active().check_alive()
        active().process.host.clock_state = state

    vars(clock_state).update(boot_id=boot_id, read=read, write=write)
    vars(progress)["read"] = lambda shared: None
    vars(run_lock).update(is_held=machine.is_held, sweep_leftovers=machine.sweep_leftovers)
    vars(run_marker)["kill_marked_processes"] = machine.kill_marked_processes
    vars(process_tree).update(state=machine.process_state, _start_time=lambda pid: "")
    vars(outbox)["send_soon"] = lambda: None


def _replace_zones() -> None:
    from chroniker.eligibility import due
    from chroniker.exceptions import ScheduleError
    from chroniker.lifecycle import booking, planned_rows
    from chroniker.schedule import timeline

    real_zone = vars(timeline)["zone"]

    def zone(name: str) -> Any:
        zones = active().process.host.zones if is_inside() else {}
        if name in zones and zones[name] is None:
            raise ScheduleError("timezone", "simulated: this host does not know it")
        return zones.get(name) or real_zone(name)

    real_bounded = timeline.bounded

    def bounded(spec: Any) -> Any:
        """Parsed schedules are kept for the whole Python process, but these zones differ between hosts."""
        own = is_inside() and spec.timezone in active().process.host.zones
        return real_bounded.__wrapped__(spec) if own else real_bounded(spec)

    vars(timeline)["zone"] = zone
    for module in [module for name, module in sys.modules.items() if name.startswith("chroniker.schedule")]:
        if vars(module).get("bounded") is real_bounded:
            vars(module)["bounded"] = bounded
    for module in (due, booking, planned_rows):
        vars(module)["zone_rules_version"] = lambda: active().process.host.zone_rules


def _replace_settings() -> None:
    from django.conf import settings

    from chroniker import conf

    def value(self: Any, name: str) -> Any:
        if is_inside() and name in active().process.host.settings:
            return active().process.host.settings[name]
        return getattr(settings, name, conf.DEFAULTS[name])

    replaced: Any = conf.Settings
    replaced._value = value
    replaced.database = property(lambda self: "default")
