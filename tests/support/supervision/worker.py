"""A worker's process with one run: python -m tests.support.supervision.worker RUNTIME-DIR START JSON.

START: warm, cold, or reused: its keeper has served another run before. "reused, request unread": its fork server was
stopped between both runs.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from chroniker.process.fork_server_client import ForkServer
from chroniker.worker.machine import LocalMachine
from chroniker.worker.supervisor import Worker, execute_run
from tests.support.supervision.fake_report import FakeReport


def main() -> None:
    given = json.loads(sys.argv[3])
    report = FakeReport(*given.pop("argv"), **given)
    fork_server = ForkServer.start() if sys.argv[2] != "cold" else None
    worker = Worker(LocalMachine(Path(sys.argv[1]), fork_server))
    if sys.argv[2].startswith("reused"):
        assert fork_server is not None
        execute_run(FakeReport("true"), worker)
        assert fork_server._idle
        if "unread" in sys.argv[2]:
            assert fork_server.pid is not None
            os.kill(fork_server.pid, signal.SIGSTOP)
    print(report.run_id, flush=True)
    execute_run(report, worker)


if __name__ == "__main__":
    main()
