"""The keeper: a small process between supervisor and command that kills the command's process tree in time.

It kills the tree when its deadline passes, when the connection to the supervisor closes, when the supervisor requests
it, and when the command has ended. The supervisor moves the deadline after each renewal of the lease. The keeper has
no database and no files but its own, and ignores every signal that can be ignored. SIGKILL on it kills the command
too (parent-death signal); the other processes of the tree are killed by its parent and by the supervisor.

Its process is `keeper_process`.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from chroniker.process import process_tree
from chroniker.process.keeper_protocol import KeeperConnection, Message
from chroniker.process.kernel import boot_clock
from chroniker.process.run_spec import RunSpec

WAIT_FOR_RUN_TIMEOUT_SECONDS = 600.0  #: how long a keeper waits for its run; the supervisor's database may be slow
REMAINING_PROCESSES_GRACE_SECONDS = (
    0.5  #: how long remaining processes may take to end by themselves after the command has ended
)
_LONGEST_WAIT_SECONDS = 1.0


class ProcessTree(Protocol):
    """The command's processes, as the keeper sees them. A simulation passes another one."""

    status: int | None  #: the command's wait status once it has ended
    cpu_seconds: float
    max_rss_kb: int

    def fileno(self) -> int:
        """A descriptor that is readable after a process of the tree has ended."""

    def clear_wakeup(self) -> None:
        """Make the descriptor unreadable until the next process ends."""

    def start(self, spec: RunSpec) -> int:
        """Start the command; its process id."""

    def reap(self) -> bool:
        """Collect ended processes; False when no process of the tree is left."""

    def signal(self, number: int) -> None:
        """Send a signal to every process of the tree."""

    def kill(self) -> process_tree.KillResult:
        """Kill every process of the tree; returns when they are dead, or cannot be killed by this user."""


class Keeper:
    """The keeper of one command. `run` returns when the tree is dead and that is reported to the supervisor.

    `is_last`: this process serves no other run after it.
    """

    def __init__(self, connection: KeeperConnection, tree: ProcessTree, *, is_last: bool = True) -> None:
        self._connection = connection
        self._tree = tree
        self._is_last = is_last
        self._deadline: float | None = None
        self._timeout_at: float | None = None
        self._terminating = ""  # why SIGTERM was sent; empty: it was not sent
        self._kill_at: float | None = None
        self._linger_until: float | None = None
        self._killed_for = ""  # why the tree is killed without grace
        self._grace = 0.0
        self._early: list[Message] = []
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        self._poll.register(tree, select.POLLIN)

    def run(self) -> bool:
        """Serve one run; returns whether this process waits for another one."""
        self._connection.send(ready=os.getpid())
        spec = self._await_spec()
        if spec is None:
            return False
        self._start_command(spec)
        end_kind = self._wait_for_end()
        self._connection.send(killing=end_kind)
        killed = self._tree.kill()
        in_order = end_kind == "exited" and not killed.count and not killed.survivors
        waits = in_order and not self._is_last
        self._connection.send(ended={**self._final_report(end_kind, killed), "waits": waits})
        return waits

    def _await_spec(self) -> RunSpec | None:
        """Wait for the run. None: the supervisor closed the connection, died, or sent nothing for too long.

        A supervisor that gave up on this keeper may have started another; then it has closed this connection.
        """
        until = boot_clock() + WAIT_FOR_RUN_TIMEOUT_SECONDS
        while not self._connection.closed and boot_clock() < until:
            self._poll.poll(_LONGEST_WAIT_SECONDS * 1000)
            messages = self._connection.receive()
            for number, message in enumerate(messages):
                if "go" in message:
                    self._deadline = message["deadline"]
                    self._early = messages[number + 1 :]  # a renewal or a stop that arrived together with the spec
                    return None if self._connection.closed else RunSpec.from_json(message["go"])
        return None

    def _start_command(self, spec: RunSpec) -> None:
        pid = self._tree.start(spec)
        self._grace = spec.grace
        if spec.timeout is not None:
            self._timeout_at = boot_clock() + spec.timeout
        self._connection.send(started=pid)

    def _wait_for_end(self) -> str:
        """Wait until the tree has ended or must be killed; returns the reason."""
        end_kind = ""
        while not end_kind:
            self._poll.poll(self._longest_wait(boot_clock()) * 1000)
            self._tree.clear_wakeup()
            # Read all messages before comparing a deadline: a renewal may be among them.
            self._handle_messages([*self._early, *self._connection.receive()], boot_clock())
            self._early = []
            tree_is_empty = not self._tree.reap()
            end_kind = self._check_for_end(boot_clock(), tree_is_empty)
        return end_kind

    def _longest_wait(self, now: float) -> float:
        if self._early:
            return 0.0
        moments = (self._deadline, self._timeout_at, self._kill_at, self._linger_until)
        nearest = min((moment for moment in moments if moment is not None), default=float("inf"))
        return max(0.0, min(nearest - now + 0.001, _LONGEST_WAIT_SECONDS))

    def _handle_messages(self, messages: Iterable[Message], now: float) -> None:
        for message in messages:
            if "deadline" in message:
                self._deadline = message["deadline"]
                self._connection.send(acknowledged=message["deadline"])
            elif "stop" in message and not self._terminating:
                self._terminate("stopped", now)
            elif "kill" in message:
                self._killed_for = "killed"

    def _check_for_end(self, now: float, tree_is_empty: bool) -> str:
        if self._connection.closed:
            return "orphaned"
        if self._killed_for:
            return self._killed_for
        if self._deadline is not None and now >= self._deadline:
            return "deadline"
        if self._kill_at is not None and now >= self._kill_at:
            return self._terminating
        if self._tree.status is not None:
            return self._check_remaining_processes(now, tree_is_empty)
        if self._timeout_at is not None and now >= self._timeout_at and not self._terminating:
            self._terminate("timed_out", now)
        return ""

    def _check_remaining_processes(self, now: float, tree_is_empty: bool) -> str:
        """After the end of the command: give the remaining processes the rest of the grace period, or
        `REMAINING_PROCESSES_GRACE_SECONDS`.

        Returns why to kill the tree now; empty: not yet.
        """
        end_kind = self._terminating or "exited"
        self._timeout_at = None  # it was for the command
        if tree_is_empty:
            return end_kind
        if self._kill_at is not None:
            return ""
        if self._linger_until is None:
            self._linger_until = now + REMAINING_PROCESSES_GRACE_SECONDS
        return "" if now < self._linger_until else end_kind

    def _terminate(self, reason: str, now: float) -> None:
        self._terminating = reason
        self._timeout_at = self._linger_until = None  # a moment that has passed must not keep the loop awake
        self._kill_at = now + self._grace
        for number in (signal.SIGTERM, signal.SIGCONT):  # a stopped process reacts to SIGTERM only after SIGCONT
            self._tree.signal(number)
        self._connection.send(terminating=reason)

    def _final_report(self, end_kind: str, killed: process_tree.KillResult) -> Mapping[str, Any]:
        status = self._tree.status
        return {
            "end_kind": end_kind,
            "exit_code": None if status is None else os.waitstatus_to_exitcode(status),
            "killed": killed.count,
            "names": killed.names,
            "survivors": killed.survivors,
            "cpu_seconds": self._tree.cpu_seconds,
            "max_rss_kb": self._tree.max_rss_kb,
        }
