"""``python exec_with_parent.py PID PROGRAM …`` executes the program, which ends when its parent process PID ends.

On Linux the kernel guarantees that, even if PID is killed. On other systems it only executes the program.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, *words = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != int(parent):  # the parent ended before the line above
            sys.exit(1)
    os.execvp(words[0], words)


if __name__ == "__main__":
    main()
