"""A keeper that is started cold: a new Python without Django, which the command's process loads."""

from __future__ import annotations

import os
import sys

from chroniker.process.command_main import CommandProcess
from chroniker.process.keeper_parent import KeeperParent
from chroniker.process.keeper_process import run_keeper
from chroniker.process.keeper_protocol import KeeperDescriptors
from chroniker.process.kernel import IS_LINUX, set_process_name
from chroniker.process.run_spec import RUN_ID_VARIABLE


def main() -> None:
    """Run a keeper. `argv`: the five descriptors, in the order of `KeeperDescriptors`."""
    os.environ.pop(RUN_ID_VARIABLE, None)  # the placeholder was for /proc, see `run_marker`
    descriptors = KeeperDescriptors(*map(int, sys.argv[1:]))
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    if not IS_LINUX:  # without subreapers a parent could not find the processes of a dead keeper
        run_keeper(descriptors, CommandProcess().run_command)
    set_process_name("chroniker-cold")
    parent = KeeperParent(own_descriptors=frozenset(descriptors))
    parent.fork_keeper(descriptors)
    parent.serve()
    os._exit(0)
