"""The parent of keepers: forks them, continues stopped ones, and kills the remaining processes of a dead one.

It is a subreaper, so processes that lose their keeper become its children. It keeps each keeper's connection and lock
open until all processes of that keeper are dead: then the supervisor sees the end of the connection, and others see a
free lock.

A keeper serves several runs, one after the other. The parent gets the lock of each before the keeper gets its files. So
the lock is held from the moment at which the request is sent: an open file that is being sent counts as open.

The fork server is the parent for all runs of a worker. A cold start has a parent for its single run.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from dataclasses import dataclass

from chroniker.process import process_tree
from chroniker.process.command_main import CommandProcess
from chroniker.process.keeper_process import ignore_signals, run_keeper
from chroniker.process.keeper_protocol import KEEPER_NAME_BYTES, KEEPER_REQUEST, LOCK_REQUEST, KeeperDescriptors
from chroniker.process.kernel import become_subreaper, host_clock, list_open_descriptors
from chroniker.process.process_tree import ChildEndWakeup

_STOPPED_KEEPER_CHECK_SECONDS = 1.0


@dataclass(slots=True)
class FilesHeldForKeeper:
    """What the parent holds open for a keeper."""

    name: bytes
    control_descriptor: int
    lock_descriptor: int  #: of the keeper's current run, else of its last one


class KeeperParent:
    """Serves requests: a keeper, with five descriptors; the lock of a keeper's next run.

    Ends when no client and no keeper is left.
    """

    def __init__(self, requests: socket.socket | None = None, own_descriptors: frozenset[int] = frozenset()) -> None:
        """`own_descriptors`: those of this process. All other open descriptors belong to the project; each command gets
        them."""
        become_subreaper()
        ignore_signals()
        own_descriptors |= {-1 if requests is None else requests.fileno(), 0, 1, 2}
        self._shared = frozenset(
            each for each in list_open_descriptors() if each not in own_descriptors and _is_descriptor_open(each)
        )
        self._own_children = frozenset(process_tree.child_pids(os.getpid()))  # started by the project's start-up
        self._requests = requests
        self._keepers: dict[int, FilesHeldForKeeper] = {}
        self._looked_at = 0.0
        self._child_ended = ChildEndWakeup()
        self._poll = select.poll()
        self._poll.register(self._child_ended, select.POLLIN)
        if requests is not None:
            self._poll.register(requests, select.POLLIN)

    def serve(self) -> None:
        while self._requests is not None or self._keepers:
            ready = dict(self._poll.poll(_STOPPED_KEEPER_CHECK_SECONDS * 1000 if self._keepers else None))
            self._continue_stopped_keepers()
            if self._child_ended.fileno() in ready:
                self._child_ended.clear()
                self._clean_up_after_ended_keepers()
            if self._requests is not None and self._requests.fileno() in ready:
                self._handle_request(self._requests)

    def fork_keeper(self, keeper_files: KeeperDescriptors, name: bytes = b"") -> None:
        """Fork a keeper. If that fails, its connection closes, and the supervisor starts a keeper cold."""
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            print(f"chroniker: cannot fork a keeper: {error}", file=sys.stderr, flush=True)
            for descriptor in keeper_files:
                os.close(descriptor)
            return
        if not pid:
            run_keeper(
                keeper_files, CommandProcess(self._shared).run_command, self._shared, parent_pid=parent if name else 0
            )
        self._keepers[pid] = FilesHeldForKeeper(name, keeper_files.control, keeper_files.lock)
        for descriptor in (keeper_files.out, keeper_files.err, keeper_files.progress):
            os.close(descriptor)

    def _handle_request(self, requests: socket.socket) -> None:
        words, descriptors, *_ = socket.recv_fds(requests, 1 + KEEPER_NAME_BYTES, 16)
        kind, name = words[:1], words[1:]
        if not words:  # the last client has gone
            self._poll.unregister(requests)
            self._requests = None
        elif kind == KEEPER_REQUEST and len(descriptors) == len(KeeperDescriptors._fields):
            self.fork_keeper(KeeperDescriptors(*descriptors), name)
        elif kind == LOCK_REQUEST and len(descriptors) == 1:
            self._hold_lock(name, descriptors[0])
        else:
            for descriptor in descriptors:
                os.close(descriptor)

    def _hold_lock(self, name: bytes, lock_descriptor: int) -> None:
        """Hold the lock of a keeper's next run instead of the lock of its last run, whose processes are dead."""
        for kept in self._keepers.values():
            if kept.name == name:
                lock_descriptor, kept.lock_descriptor = kept.lock_descriptor, lock_descriptor
                break
        # The lock of the last run; or the new lock, if the keeper and all its processes are dead.
        os.close(lock_descriptor)

    def _continue_stopped_keepers(self) -> None:
        """Continue stopped keepers, once a second: a stopped keeper cannot kill its tree in time."""
        if host_clock.monotonic() - self._looked_at < _STOPPED_KEEPER_CHECK_SECONDS:
            return
        self._looked_at = host_clock.monotonic()
        for pid in self._keepers:
            if process_tree.process_state(pid) == "T":
                process_tree.send_signal(pid, signal.SIGCONT)

    def _clean_up_after_ended_keepers(self) -> None:
        """Collect ended keepers. Any other child is a process of a dead keeper: it is killed."""
        killed = process_tree.kill_descendants(
            process_tree.EndedChildren(), spared_pids=self._keepers.keys() | self._own_children
        )
        if killed.count:
            print(f"chroniker: a keeper died; killed its processes: {killed.names}", file=sys.stderr, flush=True)
        living = process_tree.child_pids(os.getpid())
        for pid in self._keepers.keys() - living:
            gone = self._keepers.pop(pid)
            os.close(gone.lock_descriptor)
            os.close(gone.control_descriptor)


def _is_descriptor_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False  # the descriptor with which the list was read
    return True
