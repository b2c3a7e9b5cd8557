"""What the guarantee of one instance needs of the kernel."""

from __future__ import annotations

import os
from pathlib import Path

from chroniker.process.kernel import LINUX, has_subreapers


def missing() -> list[str]:
    """What this kernel lacks, in words; empty on systems other than Linux, where less is guaranteed anyway."""
    if not LINUX:
        return []
    found = []
    if not Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists():
        found.append("/proc does not list the children of processes (kernel option CONFIG_PROC_CHILDREN)")
    if not has_subreapers():
        found.append("a process cannot become the parent of its orphaned descendants (PR_SET_CHILD_SUBREAPER)")
    return found
