"""The thread that talks to the database for one run, so that the supervisor's loop never waits for one.

Renewals go first. Between two of them at most one bounded insert of output is under way, and the report bounds
each of its statements; so neither a flood of output nor a slow disk starves the lease.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from django.db.utils import DataError

from chroniker.process import progress
from chroniker.process.kernel import boot_clock
from chroniker.process.run_spec import RunOutcome, RunSpec
from chroniker.worker import end_reasons
from chroniker.worker.output import Chunk, Numbering
from chroniker.worker.output_queue import OutputQueue
from chroniker.worker.report_interface import NOTE, Report

log = logging.getLogger(__name__)

START_TRIES = 5
RETRY_SECONDS = 1.0
RING_SECONDS = 0.1  #: no more renewals than this, however often somebody rings
PROGRESS_SECONDS = 1.0  #: progress that moved is told this often, by a renewal that comes early
DRAIN_FIRST = 5.0  #: how long a finish waits for output that is still to be stored
DRAIN_AFTER = 30.0  #: how long output may take after the finish
FINISH_AFTER_LEASE = 30.0  #: a finish is tried for one lease, and this much longer


class Reporter:
    """Owns the report: no thread but its own calls it. What it learns stands in attributes; then it wakes the loop.

    `deadline`: until when (boot clock) the lease is ours for certain, less the margin. `renewals`: how often it was
    moved on. `lost`: why the lease is gone. `stop`: why the run is to stop. `finished`: what finish answered.
    """

    def __init__(self, report: Report, remarks: Numbering) -> None:
        self.deadline = 0.0
        self.renewals = 0
        self.lost = ""
        self.stop = ""
        self.finished: bool | None = None
        self._report = report
        self._remarks = remarks
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self._far.setblocking(False)
        self._thread = threading.Thread(target=self._run, name=f"chroniker-{report.run_id}", daemon=True)
        self._changed = threading.Condition()
        self._began, self._done = threading.Event(), threading.Event()
        self._order: RunSpec | None = None
        self._error: BaseException | None = None
        self._backlog = OutputQueue()
        self._shared_progress = -1
        self._progress: tuple[int, int] | None = None
        self._renew_at = self._renewed_at = 0.0  # boot clock; what follows is monotonic
        self._insert_at = self._finish_at = 0.0
        self._drain_until = self._give_up_at = float("inf")
        self._ending: RunOutcome | None = None

    # For the supervisor's loop. Only `order` and `wait` wait for the database.

    def begin(self) -> None:
        """Start the run; `order` tells what came of it."""
        self._thread.start()

    def order(self) -> RunSpec | None:
        """The run's order, or None when the start was refused. Raises what the last of a few tries raised."""
        self._began.wait()
        if self._error is not None:
            raise self._error
        return self._order

    def fileno(self) -> int:
        """Readable after something changed."""
        return self._near.fileno()

    def hush(self) -> None:
        """Take note of all changes so far."""
        try:
            while self._near.recv(4096):
                pass
        except BlockingIOError:
            pass

    @property
    def backlog(self) -> int:
        """Characters of output that wait; the loop stops reading while these are too many."""
        return self._backlog.size

    def put(self, chunks: Sequence[Chunk]) -> None:
        """Output to be stored."""
        if chunks:
            with self._changed:
                self._backlog.put(chunks)
                self._changed.notify()

    def watch_progress(self, shared: int) -> None:
        """Tell this progress with each renewal."""
        self._shared_progress = os.dup(shared)

    def renew_now(self) -> None:
        """Somebody rang: renew, and so learn of a stop, at once."""
        with self._changed:
            self._renew_at = min(self._renew_at, self._renewed_at + RING_SECONDS)
            self._changed.notify()

    def give_up(self, why: str) -> None:
        """The lease was not renewed in time, and the run is being killed for it: it is not to be renewed any more."""
        self.lost = self.lost or why

    def finish(self, ending: RunOutcome, *, drain_first: bool) -> None:
        """Report the ending; `drain_first`: after the output that waits, unless that takes too long."""
        assert self._order is not None
        now = time.monotonic()
        with self._changed:
            self._ending = ending
            self._drain_until = now + (DRAIN_FIRST if drain_first else 0.0)
            self._give_up_at = now + self._order.lease + FINISH_AFTER_LEASE
            self._changed.notify()

    def wait(self) -> bool | None:
        """Wait until all is said: True when the run shows its ending, False when the report came too late.

        None when the database could not be told within a lease and half a minute.
        """
        assert self._order is not None
        self._done.wait(self._order.lease + FINISH_AFTER_LEASE + DRAIN_FIRST + DRAIN_AFTER)
        return self.finished

    def close(self) -> None:
        self._near.close()
        self._far.close()

    # The thread.

    def _run(self) -> None:
        try:
            self._start()
            self._began.set()
            while self._order is not None and self._step(self._order):
                pass
            self._note_missing()
        except BaseException as error:  # the loop must not wait for a thread that is no more
            log.exception("run %s: its reporter failed", self._report.run_id)
            self._error = error
            self.lost = self.lost or f"the report failed: {error!r}"
        finally:
            if self._shared_progress >= 0:
                os.close(self._shared_progress)
            self._drop_connection()
            self._began.set()
            self._done.set()
            self._wake()

    def _start(self) -> None:
        """A start whose answer was lost is asked again; the lease counts from the first try, which may have won."""
        first = boot_clock()
        attempt = 1
        while True:
            try:
                order = self._report.start(os.getpid())
                break
            except Exception as error:
                self._failed("start", error)
                if attempt == START_TRIES:
                    raise
            time.sleep(0.1 * 2**attempt)
            attempt += 1
        if order is not None:
            self.deadline = first + order.lease - order.margin
            self._renew_at = first + order.heartbeat
            if attempt > 1:
                self._renew(order)
        self._order = order

    def _step(self, order: RunSpec) -> bool:
        """Do the one thing that is most urgent, or wait for one. Returns whether there is more to come."""
        with self._changed:
            now = time.monotonic()
            if self._is_over(now):
                return False
            urgent = self._most_urgent(order, now)
            if urgent is None:
                self._changed.wait(self._patience(now))
        if urgent is not None:
            urgent()
        return True

    def _is_over(self, now: float) -> bool:
        if self._ending is None:
            return False
        if self.finished is None:
            return now > self._give_up_at
        return not self._backlog or now > self._drain_until

    def _most_urgent(self, order: RunSpec, now: float) -> Callable[[], None] | None:
        if self.finished is None and not self.lost and (boot_clock() >= self._renew_at or self._has_moved()):
            return partial(self._renew, order)
        if self._ending is not None and self.finished is None and self._may_finish(now):
            return partial(self._finish, self._ending)
        if self._backlog and now >= self._insert_at:
            return self._insert
        return None

    def _has_moved(self) -> bool:
        """Whether there is progress to tell, and the last renewal is not too fresh for it."""
        if self._shared_progress < 0 or boot_clock() < self._renewed_at + PROGRESS_SECONDS:
            return False
        return progress.read(self._shared_progress) not in (None, self._progress)

    def _may_finish(self, now: float) -> bool:
        return now >= self._finish_at and (not self._backlog or now >= self._drain_until)

    def _patience(self, now: float) -> float:
        moments = [self._insert_at, self._finish_at, self._drain_until, now + RETRY_SECONDS]
        if self.finished is None and not self.lost:
            moments.append(now + self._renew_at - boot_clock())
        return max(0.001, min(moment - now for moment in moments if moment > now))

    def _renew(self, order: RunSpec) -> None:
        asked = boot_clock()  # before it is sent: the new lease begins at some moment after this
        if self._shared_progress >= 0:
            self._progress = progress.read(self._shared_progress) or self._progress
        try:
            answer = self._report.renew(self._progress)
        except Exception as error:
            self._renew_at = boot_clock() + min(RETRY_SECONDS, order.heartbeat / 2)
            self._failed("renewal", error)
            return
        self._renewed_at, self._renew_at = asked, asked + order.heartbeat
        if answer.held:
            self.deadline = asked + order.lease - order.margin
            self.renewals += 1
            self.stop = self.stop or answer.stop or ""
        else:
            self.lost = end_reasons.UNKNOWN_LEASE
        self._wake()

    def _insert(self) -> None:
        with self._changed:
            batch = self._backlog.batch()
        try:
            stored = self._report.output(batch)
        except (DataError, ValueError) as error:  # the text is at fault, not the database
            self._failed("insert of output", error)
            with self._changed:
                self._backlog.refused(batch)
        except Exception as error:
            self._insert_at = time.monotonic() + RETRY_SECONDS
            self._backlog.failed()
            self._failed("insert of output", error)
        else:
            self._inserted(batch, stored)

    def _inserted(self, batch: Sequence[Chunk], stored: bool) -> None:
        with self._changed:
            if stored:
                self._backlog.stored(batch)
            else:
                self._backlog.close()
        if not stored and self.finished is None:
            self.lost = self.lost or end_reasons.UNKNOWN_LEASE
        self._wake()

    def _finish(self, ending: RunOutcome) -> None:
        with self._changed:
            unstored = self._backlog.unstored
        try:
            self.finished = self._report.finish(dataclasses.replace(ending, unstored=unstored))
        except Exception as error:
            self._finish_at = time.monotonic() + RETRY_SECONDS
            self._failed("finish", error)
            return
        self._drain_until = time.monotonic() + DRAIN_AFTER
        if self._backlog:
            waits = f"The outcome was reported before the last {self._backlog.size} characters above were stored.\n"
            self.put([self._remarks.chunk(waits)])

    def _note_missing(self) -> None:
        """Where output was left behind, or may have been, say so in the list of events, which takes it from anyone."""
        missing = self._backlog.size + self._backlog.missing
        if missing or self.lost:
            text = f"The end of the output may be missing: {missing} characters were not stored."
            try:
                self._report.note(NOTE, text)
            except Exception as error:
                self._failed("note", error)

    def _failed(self, what: str, error: Exception) -> None:
        """The connection may be broken, or its transaction: the next try gets a new one."""
        log.warning("run %s: %s failed: %r", self._report.run_id, what, error)
        self._drop_connection()

    def _drop_connection(self) -> None:
        try:
            self._report.close()
        except Exception as error:  # a connection that cannot even be closed is dropped all the same
            log.debug("run %s: closing its connection failed: %r", self._report.run_id, error)

    def _wake(self) -> None:
        with suppress(OSError):  # it has been told often enough, or has left
            self._far.send(b"!")
