"""The file that shows ``chroniker-alive worker`` that a worker works.

A thread writes it while the consumer's loop runs. The loop does not run while the worker has no connection to its
broker, or while the worker shuts down. Then the thread writes the file nevertheless: a restart would lose the worker's
runs, and would not repair the broker.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from celery import bootsteps
from celery.concurrency import get_implementation

from chroniker.conf import settings
from chroniker.process.alive_file import LOOP_INTERVAL_SECONDS, AliveFile
from chroniker_celery.fitness import Worker

#: The loop counts as hanging if its timer has not run for this time.
LOOP_HANGING_AFTER_SECONDS = 20.0


class ConsumerLoopMonitor(bootsteps.StartStopStep):
    """A step of the consumer. A timer in its loop records the time. Celery stops it when the connection is lost."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    #: When the loop last ran the timer, on the monotonic clock. ``None``: the loop does not run.
    last_loop_time: float | None = None

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        self._timer: Any = None
        super().__init__(parent, **kwargs)

    def start(self, parent: Any) -> None:
        _record_loop_time()
        self._timer = parent.timer.call_repeatedly(LOOP_INTERVAL_SECONDS, _record_loop_time)

    def stop(self, parent: Any) -> None:
        ConsumerLoopMonitor.last_loop_time = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def shutdown(self, parent: Any) -> None:
        self.stop(parent)


def _record_loop_time() -> None:
    ConsumerLoopMonitor.last_loop_time = time.monotonic()


_thread: AliveFileThread | None = None


def start_alive_file_thread(worker: Worker) -> None:
    """Write the file from now on, until ``stop_alive_file_thread``: also while the worker waits for its last runs."""
    global _thread
    if _thread is None:
        pool = get_implementation(worker.pool_cls).__module__.rpartition(".")[2]
        _thread = AliveFileThread(is_solo=pool == "solo")
        _thread.start()


def stop_alive_file_thread() -> None:
    if _thread is not None:
        _thread.end()


class AliveFileThread(threading.Thread):
    """Writes the file. ``is_solo``: the pool executes tasks in the loop; a long task is no sign that the loop hangs."""

    def __init__(self, *, is_solo: bool) -> None:
        super().__init__(name="chroniker-alive", daemon=True)
        self._is_solo = is_solo
        self._file = AliveFile("worker", lambda: settings.runtime_dir)
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            if not self._is_hanging():
                self._file.touch()
            self._ended.wait(LOOP_INTERVAL_SECONDS)
        self._file.remove()

    def _is_hanging(self) -> bool:
        turned = ConsumerLoopMonitor.last_loop_time
        return not self._is_solo and turned is not None and time.monotonic() - turned > LOOP_HANGING_AFTER_SECONDS

    def end(self) -> None:
        self._ended.set()
        self.join(LOOP_INTERVAL_SECONDS)
