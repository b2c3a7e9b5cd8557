"""Puts the simulated machine in the place of the real one, once for the Python process.

Nothing of the product's logic is replaced. What the product passes as an argument (machine, tree) needs no entry here;
each entry reads a clock, a file, the settings or the kernel, or makes a random number.
"""

from __future__ import annotations

import datetime as dt
import importlib
import os as real_os
import sys
import types
from collections.abc import Callable
from typing import Any

from tests.simulation import channels, machine, remembered
from tests.simulation.connections import Connections
from tests.simulation.processes import EPOCH
from tests.simulation.world import active, is_inside

SELECT = types.SimpleNamespace(poll=channels.Poll, POLLIN=1, POLLOUT=4)
THREADING = types.SimpleNamespace(Thread=channels.StartedThread, Condition=channels.Condition, Event=channels.Event)


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


#: Modules of the standard library, by the product's module that uses them.
MODULES: dict[str, dict[str, Any]] = {
    "process.keeper": {"os": VirtualOs(), "select": SELECT},
    "process.keeper_client": {"os": VirtualOs(), "select": SELECT},
    "process.keeper_process": {"os": VirtualOs(), "select": SELECT},
    "process.keeper_protocol": {"select": SELECT},
    "worker.output_pump": {"os": VirtualOs(), "select": SELECT},
    "worker.reporter": {
        "os": VirtualOs(),
        "threading": THREADING,
        "socket": types.SimpleNamespace(socketpair=channels.socketpair),
    },
    "models.base": {"os": VirtualOs()},
    "models.conflicts": {"random": types.SimpleNamespace(uniform=lambda low, high: active().rng.uniform(low, high))},
    # Kept connections would be shared by all simulated processes.
    "executors.report_connections": {"VENDORS_WITH_KEPT_CONNECTIONS": ()},
}


def install() -> None:
    """Django is set up already. Which world is active is looked up at each call."""
    for name, replacements in MODULES.items():
        vars(importlib.import_module(f"chroniker.{name}")).update(replacements)
    _replace_clocks()
    _replace_host_files()
    _replace_zones()
    _replace_settings()
    remembered.install()
    Connections.install()


def _replace(original: Callable[..., Any], replacement: Callable[..., Any]) -> None:
    """In each module of the product that has it."""
    for module in [each for name, each in sys.modules.items() if name.startswith("chroniker")]:
        for name in [name for name, value in vars(module).items() if value is original]:
            vars(module)[name] = replacement


def _replace_clocks() -> None:
    from django.utils import timezone

    from chroniker.clock import database_clock
    from chroniker.process.kernel import host_clock

    clock: Any = host_clock
    clock.boot = clock.monotonic = lambda: active().process.host.boot()
    clock.wall = _wall
    clock.sleep = lambda seconds: active().block(seconds)
    vars(timezone)["now"] = lambda: dt.datetime.fromtimestamp(_wall(), dt.UTC)
    for vendor in ("sqlite", "postgresql"):
        database_clock._NOW_SQL[vendor] = "SIM_NOW(0)"
        database_clock._NOW_PLUS_SECONDS_SQL[vendor] = "SIM_NOW(%s)"
        database_clock._SERVER_SQL_BY_VENDOR[vendor] = "SIM_SERVER()"


def _wall() -> float:
    return active().process.host.wall() if is_inside() else EPOCH + active().now


def _replace_host_files() -> None:
    from chroniker import outbox
    from chroniker.clock import clock_state
    from chroniker.process import kernel, process_tree, progress, run_marker
    from chroniker.worker import run_lock

    def boot_id() -> str:
        return f"boot {active().process.host.boots}"

    def read() -> Any:
        host = active().process.host
        state = host.clock_state
        return state if state is not None and state.boot == boot_id() and state.seen <= host.boot() else None

    def write(state: Any) -> None:
        active().check_alive()
        active().process.host.clock_state = state

    _replace(kernel.boot_id, boot_id)
    _replace(clock_state.read_clock_state, read)
    _replace(clock_state.write_clock_state, write)
    _replace(progress.read_progress_record, lambda shared: None)
    _replace(run_lock.is_lock_held, machine.is_lock_held)
    _replace(run_lock.kill_leftover_processes, machine.kill_leftover_processes)
    _replace(run_marker.kill_processes_with_run_marker, machine.kill_processes_with_run_marker)
    _replace(process_tree.process_state, machine.process_state)
    _replace(process_tree._start_time, lambda pid: "")
    _replace(outbox.start_sender_if_message_due, lambda: None)


def _replace_zones() -> None:
    from chroniker.exceptions import ScheduleError
    from chroniker.schedule import timeline, zones

    real_zone, real_bounded = zones.zone, timeline.parse_schedule

    def zone(name: str) -> Any:
        known = active().process.host.zones if is_inside() else {}
        if name in known and known[name] is None:
            raise ScheduleError("timezone", "simulated: this host does not know it")
        return known.get(name) or real_zone(name)

    def bounded(spec: Any) -> Any:
        """Parsed schedules are kept for the whole Python process, but these zones differ between hosts."""
        own = is_inside() and spec.timezone in active().process.host.zones
        return real_bounded.__wrapped__(spec) if own else real_bounded(spec)

    _replace(real_zone, zone)
    _replace(real_bounded, bounded)
    _replace(zones.zone_rules_version, lambda: active().process.host.zone_rules)


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
