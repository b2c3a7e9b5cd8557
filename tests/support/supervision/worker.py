"""A worker's process with one run: python -m tests.support.supervision.worker RUNTIME-DIR warm|cold JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from chroniker.process.fork_server_client import ForkServer
from chroniker.worker.supervisor import execute
from tests.support.supervision.fake_report import FakeReport


def main() -> None:
    given = json.loads(sys.argv[3])
    report = FakeReport(*given.pop("argv"), **given)
    print(report.run_id, flush=True)
    execute(report, ForkServer.start() if sys.argv[2] == "warm" else None, runtime_dir=Path(sys.argv[1]))


if __name__ == "__main__":
    main()
