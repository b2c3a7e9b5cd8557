"""The kernel features that the guarantee of one instance needs."""

from __future__ import annotations

import os
from pathlib import Path

from chroniker.process.kernel import IS_LINUX, has_subreapers


def missing_kernel_features() -> list[str]:
    """The missing features of this kernel, as texts. Empty on systems other than Linux, where less is guaranteed."""
    if not IS_LINUX:
        return []
    found = []
    if not Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists():
        found.append("/proc does not list the children of processes (kernel option CONFIG_PROC_CHILDREN)")
    if not has_subreapers():
        found.append("a process cannot become the parent of its orphaned descendants (PR_SET_CHILD_SUBREAPER)")
    return found
