"""The parent of keepers: forks them, continues stopped ones, and kills the remaining processes of a dead one.

It is a subreaper, so processes that lose their keeper become its children. It keeps each keeper's connection and lock
open until all processes of that keeper are dead: then the supervisor sees the end of the connection, and others see a
free lock.

The fork server is one for all runs of a worker; a cold start has one for its single run.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys

from chroniker.process import process_tree
from chroniker.process.command_main import CommandProcess
from chroniker.process.keeper import ignore_signals, keep
from chroniker.process.keeper_protocol import Descriptors
from chroniker.process.kernel import become_subreaper, open_descriptors
from chroniker.process.process_tree import ChildWakeup

_LOOK_SECONDS = 1.0


class KeeperParent:
    """Serves requests for keepers, each of five descriptors. Ends when no client and no keeper is left."""

    def __init__(self, requests: socket.socket | None = None, own: frozenset[int] = frozenset()) -> None:
        """`own`: descriptors of this process. All others that are open are the project's; every command gets them."""
        become_subreaper()
        ignore_signals()
        own |= {-1 if requests is None else requests.fileno(), 0, 1, 2}
        self._shared = frozenset(each for each in open_descriptors() if each not in own and _is_open(each))
        self._own_children = frozenset(process_tree.children(os.getpid()))  # started by the project's start-up
        self._requests = requests
        self._keepers: dict[int, Descriptors] = {}
        self._child_ended = ChildWakeup()
        self._poll = select.poll()
        self._poll.register(self._child_ended, select.POLLIN)
        if requests is not None:
            self._poll.register(requests, select.POLLIN)

    def serve(self) -> None:
        while self._requests is not None or self._keepers:
            ready = dict(self._poll.poll(_LOOK_SECONDS * 1000 if self._keepers else None))
            self._wake_keepers()
            if self._child_ended.fileno() in ready:
                self._child_ended.clear()
                self._bury()
            if self._requests is not None and self._requests.fileno() in ready:
                self._answer(self._requests)

    def fork(self, given: Descriptors) -> None:
        """Fork a keeper. If that fails its connection closes, and the supervisor starts one cold."""
        try:
            pid = os.fork()
        except OSError as error:
            print(f"chroniker: cannot fork a keeper: {error}", file=sys.stderr, flush=True)
            for descriptor in given:
                os.close(descriptor)
            return
        if not pid:
            keep(given, CommandProcess(self._shared).become, self._shared)
        self._keepers[pid] = given
        for descriptor in (given.out, given.err, given.progress):
            os.close(descriptor)

    def _answer(self, requests: socket.socket) -> None:
        words, descriptors, *_ = socket.recv_fds(requests, 16, 16)
        if not words:  # the last client has gone
            self._poll.unregister(requests)
            self._requests = None
        elif len(descriptors) == len(Descriptors._fields):
            self.fork(Descriptors(*descriptors))
        else:
            for descriptor in descriptors:
                os.close(descriptor)

    def _wake_keepers(self) -> None:
        """Continue stopped keepers: a stopped keeper cannot kill its tree in time."""
        for pid in self._keepers:
            if process_tree.state(pid) == "T":
                process_tree.send(pid, signal.SIGCONT)

    def _bury(self) -> None:
        """Collect ended keepers. Any other child is a process of a dead keeper: it is killed."""
        killed = process_tree.kill_below(process_tree.Tally(), spare=self._keepers.keys() | self._own_children)
        if killed.count:
            print(f"chroniker: a keeper died; killed its processes: {killed.names}", file=sys.stderr, flush=True)
        living = process_tree.children(os.getpid())
        for pid in self._keepers.keys() - living:
            gone = self._keepers.pop(pid)
            os.close(gone.lock)
            os.close(gone.control)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False  # the descriptor with which the list was read
    return True
