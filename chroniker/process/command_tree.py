"""The command and all processes below it, in the keeper: start, signal, kill."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from typing import NoReturn

from chroniker.process import process_tree
from chroniker.process.keeper_protocol import Descriptors
from chroniker.process.process_tree import ChildWakeup
from chroniker.process.run_spec import RunSpec

#: Called in the command's process with the spec, the files and the keeper's pid. Never returns.
Become = Callable[[RunSpec, Descriptors, int], NoReturn]


class CommandTree(process_tree.Tally):
    """The real tree. The keeper must be a subreaper, so that orphaned processes become its children."""

    def __init__(self, given: Descriptors, become: Become, wakeup: ChildWakeup) -> None:
        super().__init__()
        self._given = given
        self._become = become
        self._wakeup = wakeup  # one for all trees of this process

    def fileno(self) -> int:
        return self._wakeup.fileno()

    def clear(self) -> None:
        self._wakeup.clear()

    def start(self, spec: RunSpec) -> int:
        """Fork the command. The keeper's own copies of its output pipes are closed."""
        keeper = os.getpid()
        pid = os.fork()
        if not pid:
            try:
                self._become(spec, self._given, keeper)
            except BaseException:  # printed to the run's stderr, if it is connected already
                traceback.print_exc()
            finally:
                os._exit(71)
        self.command = pid
        os.close(self._given.out)
        os.close(self._given.err)
        return pid

    def signal(self, number: int) -> None:
        process_tree.signal_below(number, group=self.command)

    def kill(self) -> process_tree.Killed:
        return process_tree.kill_below(self, group=self.command)
