"""The process of keepers: it leaves the worker's session and files, then serves one run after the other.

It serves another run only after one that ended in order: the command exited by itself and left no process. After any
other end the process exits, and the kernel clears up.

Standard library only: in a cold start this process starts first, and Django later in the command's process only.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import traceback
from collections.abc import Callable
from typing import NoReturn

from chroniker.process import process_tree
from chroniker.process.keeper import Keeper
from chroniker.process.keeper_protocol import KeeperConnection, KeeperDescriptors
from chroniker.process.kernel import become_subreaper, boot_clock, close_descriptors_except, set_process_name
from chroniker.process.process_tree import ChildEndWakeup
from chroniker.process.run_spec import RunSpec

MAX_IDLE_SECONDS = 10.0  #: how long a keeper waits for its next run
MAX_RUNS_PER_KEEPER = 100  #: how many runs one keeper process serves; its end frees all memory that has accumulated

#: Called in the command's process with the spec, the files and the keeper's pid. Never returns.
RunCommand = Callable[[RunSpec, KeeperDescriptors, int], NoReturn]


class CommandTree(process_tree.EndedChildren):
    """The real tree. The keeper must be a subreaper, so that orphaned processes become its children."""

    def __init__(self, descriptors: KeeperDescriptors, run_command: RunCommand, wakeup: ChildEndWakeup) -> None:
        super().__init__()
        self._descriptors = descriptors
        self._run_command = run_command
        self._wakeup = wakeup  # one for all trees of this process

    def fileno(self) -> int:
        return self._wakeup.fileno()

    def clear_wakeup(self) -> None:
        self._wakeup.clear()

    def start(self, spec: RunSpec) -> int:
        """Fork the command. The keeper's own copies of its output pipes are closed."""
        keeper = os.getpid()
        pid = os.fork()
        if not pid:
            try:
                self._run_command(spec, self._descriptors, keeper)
            except BaseException:  # printed to the run's stderr, if it is connected already
                traceback.print_exc()
            finally:
                os._exit(71)
        self.command_pid = pid
        os.close(self._descriptors.out)
        os.close(self._descriptors.err)
        return pid

    def signal(self, number: int) -> None:
        process_tree.signal_descendants(number, process_group=self.command_pid)

    def kill(self) -> process_tree.KillResult:
        return process_tree.kill_descendants(self, process_group=self.command_pid)


def ignore_signals() -> None:
    """Ignore every signal that can be ignored, except SIGCONT and SIGCHLD. SIGCHLD wakes this process."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGCONT}:
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            continue  # reserved by the C library
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def run_keeper(
    descriptors: KeeperDescriptors,
    run_command: RunCommand,
    shared_descriptors: frozenset[int] = frozenset(),
    *,
    parent_pid: int = 0,
) -> NoReturn:
    """Make this process a keeper. `shared_descriptors` are for the commands and stay open.

    `parent_pid`: the process id of the parent, if it holds the lock of each run; 0: the keeper serves only one run.
    """
    connection = None
    try:
        _detach_from_worker(descriptors, shared_descriptors)
        connection = KeeperConnection(socket.socket(fileno=descriptors.control), takes_files=True)
        _serve_runs(connection, descriptors, run_command, parent_pid)
    except BaseException:  # no tree may be left without a keeper
        process_tree.kill_descendants(process_tree.EndedChildren())
        if connection is not None:
            connection.send(crashed=traceback.format_exc())
        os._exit(70)
    os._exit(0)


def _serve_runs(
    connection: KeeperConnection, descriptors: KeeperDescriptors, run_command: RunCommand, parent_pid: int
) -> None:
    wakeup = ChildEndWakeup()
    for left in reversed(range(MAX_RUNS_PER_KEEPER if parent_pid else 1)):
        keeper = Keeper(connection, CommandTree(descriptors, run_command, wakeup), is_last=left == 0)
        if not keeper.run():
            return
        os.close(descriptors.progress)
        os.close(descriptors.lock)
        # If this keeper were killed and had no parent, nothing would kill the processes of the next run.
        if not await_next_run(connection) or os.getppid() != parent_pid:
            return
        descriptors = descriptors.for_next_run(connection.files)
        connection.files = []


def await_next_run(connection: KeeperConnection) -> bool:
    """Wait for the files of the next run. False: the worker closed the connection, or sent no files for some time.

    A message that the last run's supervisor sent too late is ignored.
    """
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    until = boot_clock() + MAX_IDLE_SECONDS
    while not connection.closed and (left := until - boot_clock()) > 0:
        poll.poll(left * 1000)
        if any("next" in message for message in connection.receive()):
            return True
    return False


def _detach_from_worker(descriptors: KeeperDescriptors, shared_descriptors: frozenset[int]) -> None:
    """Leave the worker's session, signals and files."""
    set_process_name("chroniker-keep")
    if os.getsid(0) != os.getpid():
        os.setsid()
    become_subreaper()
    ignore_signals()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    # If a sibling's connection were open here, that sibling would not notice the death of its supervisor.
    close_descriptors_except(shared_descriptors | frozenset(descriptors))
