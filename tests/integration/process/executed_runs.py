"""Runs that a worker of this process executes."""

from __future__ import annotations

from pathlib import Path

import psutil

from chroniker.process.fork_server_client import ForkServer
from chroniker.process.run_spec import RunOutcome
from chroniker.worker import supervisor
from chroniker.worker.machine import LocalMachine
from chroniker.worker.report_interface import Report
from chroniker.worker.supervisor import Worker


def execute(report: Report, fork_server: ForkServer | None, *, runtime_dir: Path) -> RunOutcome | None:
    return supervisor.execute_run(report, Worker(LocalMachine(runtime_dir, fork_server)))


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
