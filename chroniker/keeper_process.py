"""One keeper, started cold: by exec, without Django, which its command loads for itself."""

from __future__ import annotations

import os
import sys

from chroniker.command import RUN_ID
from chroniker.command_process import CommandProcess
from chroniker.guard import Guard
from chroniker.keeper import keep
from chroniker.kernel import LINUX, name_process
from chroniker.wire import Descriptors


def main() -> None:
    """`argv`: the five descriptors, in their order."""
    os.environ.pop(RUN_ID, None)  # the placeholder was for /proc, see `mark`
    given = Descriptors(*map(int, sys.argv[1:]))
    for descriptor in given:
        os.set_inheritable(descriptor, False)
    if not LINUX:  # nobody could inherit what a dead keeper guarded
        keep(given, CommandProcess().become)
    name_process("chroniker-guard")
    guard = Guard(own=frozenset(given))
    guard.fork(given)
    guard.serve()
    os._exit(0)
