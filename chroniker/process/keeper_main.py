"""A keeper that is started cold: a new Python without Django, which the command's process loads."""

from __future__ import annotations

import os
import sys

from chroniker.process.command_main import CommandProcess
from chroniker.process.keeper_parent import KeeperParent
from chroniker.process.keeper_process import keep
from chroniker.process.keeper_protocol import Descriptors
from chroniker.process.kernel import LINUX, name_process
from chroniker.process.run_spec import RUN_ID


def main() -> None:
    """`argv`: the five descriptors, in their order."""
    os.environ.pop(RUN_ID, None)  # the placeholder was for /proc, see `run_marker`
    given = Descriptors(*map(int, sys.argv[1:]))
    for descriptor in given:
        os.set_inheritable(descriptor, False)
    if not LINUX:  # without subreapers a parent could not find the processes of a dead keeper
        keep(given, CommandProcess().become)
    name_process("chroniker-cold")
    parent = KeeperParent(own=frozenset(given))
    parent.fork(given)
    parent.serve()
    os._exit(0)
