"""``python tied.py PID PROGRAM …`` becomes the program, and dies with the process PID that started it.

On Linux only, where the kernel sees to it, even if PID is killed outright. Elsewhere it just becomes the program.
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
        if os.getppid() != int(parent):  # it died before the line above
            sys.exit(1)
    os.execvp(words[0], words)


if __name__ == "__main__":
    main()
