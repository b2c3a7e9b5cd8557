"""A command with descendants that are hard to kill: python support/supervision/tree.py SECONDS-UNTIL-IT-ENDS."""

from __future__ import annotations

import os
import signal
import sys
import time


def be(word: str) -> None:
    """Sleep under this name, and ignore SIGTERM."""
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"
    os.execv(sys.executable, [sys.executable, "-S", "-c", code, word])


def fork_and_leave() -> bool:
    """True in a new process without parent and session of the caller; False in the caller."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return False
    os.setsid()
    if os.fork():
        os._exit(0)
    return True


def main() -> None:
    if not os.fork():
        be("plain")
    if not os.fork():
        os.setsid()
        be("own-session")
    if fork_and_leave():
        be("daemon")
    if fork_and_leave():  # a new process again and again
        for _ in range(20_000):
            time.sleep(0.005)
            if os.fork():
                os._exit(0)
    print("tree stands under", os.getppid(), flush=True)
    time.sleep(float(sys.argv[1]))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    main()
