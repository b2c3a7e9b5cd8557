"""The keeper: a small process between the supervisor and the command, which sees to it that the command's whole
tree dies in time.

It kills the tree when its deadline passes, when the line to the supervisor breaks, when it is told to, and when
the command is done; the supervisor moves the deadline on each time the lease was renewed. It has no database,
holds no file but its own and cannot be ended by a signal that can be caught. A SIGKILL on it kills the command
as well (parent-death signal); what else it guarded is swept by the nursery and by the supervisor.

Standard library only: a cold start is this process first, Django later and only in the command's.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from chroniker.process import process_tree
from chroniker.process.keeper_protocol import Descriptors, KeeperConnection, Message
from chroniker.process.kernel import become_subreaper, boot_clock, close_descriptors, name_process
from chroniker.process.run_spec import RunSpec

GO_PATIENCE = 600.0  #: how long a keeper waits to be told to begin; its supervisor asks a database that may be slow
LINGER = 0.5  #: after the command ended by itself, what it left behind may end by itself too
_LONGEST_WAIT = 1.0

#: Called in the command's process with the order, the files and the keeper's pid. Never returns.
Become = Callable[[RunSpec, Descriptors, int], NoReturn]


def ignore_signals() -> None:
    """Nothing that can be caught ends this process. SIGCHLD stays, to wake it."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGCONT}:
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            continue  # reserved by the C library
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def wake_on_child() -> int:
    """A descriptor that becomes readable when a child ends. For a process with one thread."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading


def drain(descriptor: int) -> None:
    """Read away what only served to wake."""
    try:
        while len(os.read(descriptor, 4096)) == 4096:
            pass
    except BlockingIOError:
        pass


def keep(given: Descriptors, become: Become, shared: frozenset[int] = frozenset()) -> NoReturn:
    """Be a keeper, in a process forked or started for it. `shared` descriptors are the command's, and stay open."""
    wire = None
    try:
        _withdraw(given, shared)
        wire = KeeperConnection(socket.socket(fileno=given.control))
        Keeper(wire, given, become).guard()
    except BaseException:  # whatever went wrong, no tree may be left unguarded
        process_tree.kill_below(process_tree.Tally())
        if wire is not None:
            wire.send(crashed=traceback.format_exc())
        os._exit(70)
    os._exit(0)


def _withdraw(given: Descriptors, shared: frozenset[int]) -> None:
    """Leave the worker's session, signals and files."""
    name_process("chroniker-keep")
    if os.getsid(0) != os.getpid():
        os.setsid()
    become_subreaper()
    ignore_signals()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    # Were a sibling's lifeline open here, that sibling would not see its supervisor die.
    close_descriptors(shared | frozenset(given))


class Keeper:
    """One command's guardian. `guard` returns when the tree is dead and the supervisor has been told."""

    def __init__(self, wire: KeeperConnection, given: Descriptors, become: Become) -> None:
        self._wire = wire
        self._given = given
        self._become = become
        self._tally = process_tree.Tally()
        self._deadline: float | None = None
        self._timeout_at: float | None = None
        self._terminating = ""  # why SIGTERM was sent
        self._kill_at: float | None = None
        self._linger_until: float | None = None
        self._killed_for = ""  # why there is to be no grace
        self._grace = 0.0
        self._early: list[Message] = []
        self._child_ended = wake_on_child()
        self._poll = select.poll()
        self._poll.register(wire, select.POLLIN)
        self._poll.register(self._child_ended, select.POLLIN)

    def guard(self) -> None:
        self._wire.send(ready=os.getpid())
        order = self._await_order()
        if order is None:
            return
        self._start(order)
        how = self._watch()
        self._wire.send(killing=how)
        killed = process_tree.kill_below(self._tally, group=self._tally.command)
        self._wire.send(ended=self._report(how, killed))

    def _await_order(self) -> RunSpec | None:
        """The order to begin; None when the supervisor changed its mind, died, or said nothing for too long.

        A supervisor that gave up on this keeper may have started another: it closed the line and never says go.
        """
        until = boot_clock() + GO_PATIENCE
        while not self._wire.closed and boot_clock() < until:
            self._poll.poll(_LONGEST_WAIT * 1000)
            messages = self._wire.receive()
            for number, message in enumerate(messages):
                if "go" in message:
                    self._deadline = message["deadline"]
                    self._early = messages[number + 1 :]  # a renewal, or a stop, right behind the order
                    return None if self._wire.closed else RunSpec.from_json(message["go"])
        return None

    def _start(self, order: RunSpec) -> None:
        keeper = os.getpid()
        pid = os.fork()
        if not pid:
            try:
                self._become(order, self._given, keeper)
            except BaseException:  # to the run's own stderr, if that is in place yet
                traceback.print_exc()
            finally:
                os._exit(71)
        self._tally.command = pid
        self._grace = order.grace
        if order.timeout is not None:
            self._timeout_at = boot_clock() + order.timeout
        os.close(self._given.out)
        os.close(self._given.err)
        self._wire.send(started=pid)

    def _watch(self) -> str:
        """Wait until the tree is to be killed, or has ended; returns why."""
        how = ""
        while not how:
            self._poll.poll(self._patience() * 1000)
            drain(self._child_ended)
            self._obey()  # all that was sent is read before any clock is believed: a renewal may lie there
            alone = not self._tally.reap()
            how = self._judge(boot_clock(), alone)
        return how

    def _patience(self) -> float:
        if self._early:
            return 0.0
        moments = (self._deadline, self._timeout_at, self._kill_at, self._linger_until)
        nearest = min((moment for moment in moments if moment is not None), default=float("inf"))
        return max(0.0, min(nearest - boot_clock() + 0.001, _LONGEST_WAIT))

    def _obey(self) -> None:
        early, self._early = self._early, []
        for message in [*early, *self._wire.receive()]:
            if "deadline" in message:
                self._deadline = message["deadline"]
                self._wire.send(acknowledged=message["deadline"])
            elif "stop" in message and not self._terminating:
                self._terminate("stopped")
            elif "kill" in message:
                self._killed_for = "killed"

    def _judge(self, now: float, alone: bool) -> str:
        if self._wire.closed:
            return "orphaned"
        if self._killed_for:
            return self._killed_for
        if self._deadline is not None and now >= self._deadline:
            return "deadline"
        if self._kill_at is not None and now >= self._kill_at:
            return self._terminating
        if self._tally.status is not None:
            return self._judge_ended(now, alone)
        if self._timeout_at is not None and now >= self._timeout_at and not self._terminating:
            self._terminate("timed_out")
        return ""

    def _judge_ended(self, now: float, alone: bool) -> str:
        """The command has ended. Others of its tree keep their grace, or the moment that a pipeline needs."""
        how = self._terminating or "exited"
        if alone:
            return how
        if self._linger_until is None:
            self._linger_until = now + LINGER
        lingers = now < self._linger_until or self._kill_at is not None
        return "" if lingers else how

    def _terminate(self, why: str) -> None:
        self._terminating = why
        self._timeout_at = None
        self._kill_at = boot_clock() + self._grace
        for number in (signal.SIGTERM, signal.SIGCONT):  # a stopped process takes no notice of the first alone
            process_tree.signal_below(number, group=self._tally.command)
        self._wire.send(terminating=why)

    def _report(self, how: str, killed: process_tree.Killed) -> Mapping[str, Any]:
        status = self._tally.status
        return {
            "how": how,
            "exit_code": None if status is None else os.waitstatus_to_exitcode(status),
            "killed": killed.count,
            "names": killed.names,
            "survivors": killed.survivors,
            "cpu_seconds": self._tally.cpu_seconds,
            "max_rss_kb": self._tally.max_rss_kb,
        }
