"""A worker's process with one run: python -m tests.support.supervision.worker RUNTIME-DIR warm|cold JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from chroniker.process.fork_server_client import ForkServer
from chroniker.worker.machine import ThisHost
from chroniker.worker.supervisor import Worker, execute
from tests.support.supervision.fake_report import FakeReport


def main() -> None:
    given = json.loads(sys.argv[3])
    report = FakeReport(*given.pop("argv"), **given)
    print(report.run_id, flush=True)
    fork_server = ForkServer.start() if sys.argv[2] == "warm" else None
    execute(report, Worker(ThisHost(Path(sys.argv[1]), fork_server)))


if __name__ == "__main__":
    main()
