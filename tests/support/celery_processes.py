"""Celery workers and beats as real processes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import psutil

from tests.support.processes import Process, wait_until


class CeleryProcess(Process):
    """``python -m celery -A tests.celeryapp ...``; ``start`` returns when it is ready."""

    def __init__(self, words: Sequence[str], env: Mapping[str, str], directory: Path, *, name: str) -> None:
        super().__init__(["-m", "celery", "-A", "tests.celeryapp", *words], env, directory, name=name)
        self.ready_file = self.log_path.with_suffix(".ready")
        self.env["CHRONIKER_TEST_READY_FILE"] = str(self.ready_file)

    def start(self) -> Self:
        self.ready_file.unlink(missing_ok=True)
        super().start()
        try:
            wait_until(self._ready_or_gone, what=f"{self.words[3]} ready")
        except BaseException:
            self.stop()
            raise
        if not self.running():
            raise AssertionError(f"{' '.join(self.words)} ended with {self.wait()}:\n{self.log[-6000:]}")
        return self

    def _ready_or_gone(self) -> bool:
        return self.ready_file.exists() or not self.running()


class CeleryWorker(CeleryProcess):
    """A worker. ``with CeleryWorker(env, tmp_path, pool="threads") as worker: ...``"""

    def __init__(
        self,
        env: Mapping[str, str],
        directory: Path,
        *,
        pool: str = "prefork",
        concurrency: int = 1,
        queues: Sequence[str] = (),
        hostname: str = "",
        options: Sequence[str] = (),
    ) -> None:
        self.hostname = hostname or f"test{os.urandom(4).hex()}@localhost"
        words = ["worker", "--pool", pool, "--concurrency", str(concurrency), "--hostname", self.hostname]
        words += ["--loglevel", "INFO", "--without-gossip", "--without-mingle"]
        words += ["--queues", ",".join(queues)] if queues else []
        super().__init__([*words, *options], env, directory, name=f"worker-{pool}")

    def pool_processes(self) -> list[psutil.Process]:
        """The processes of the prefork pool: forks of the worker, without the programs that it started."""
        parent = psutil.Process(self.pid)
        return [child for child in parent.children() if child.cmdline() == parent.cmdline()]


class CeleryBeat(CeleryProcess):
    """A beat with the scheduler of this project, or another."""

    def __init__(
        self,
        env: Mapping[str, str],
        directory: Path,
        *,
        scheduler: str = "chroniker_celery.beat:Scheduler",
        options: Sequence[str] = (),
    ) -> None:
        words = ["beat", "--scheduler", scheduler, "--loglevel", "INFO", "--pidfile", ""]
        words += ["--schedule", str(directory / "beat-schedule")]
        super().__init__([*words, *options], env, directory, name="beat")
