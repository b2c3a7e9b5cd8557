"""The thread that reports one run to the database, so that the supervisor's loop never waits for a database.

`ReportPlanner` decides what to report, and when. The command's progress is read from shared memory for each report.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress

from django.db.utils import DataError

from chroniker import logs
from chroniker.process import progress
from chroniker.process.kernel import host_clock
from chroniker.process.run_spec import RunOutcome, RunSpec
from chroniker.worker import report_timing as timing
from chroniker.worker.output import Chunk, ChunkNumbering
from chroniker.worker.report_actions import (
    Call,
    ClocksAndProgress,
    FinishRun,
    InsertOutput,
    NothingToReport,
    RenewLease,
    StartRun,
    Wait,
)
from chroniker.worker.report_interface import NOTE_EVENT_KIND, Report
from chroniker.worker.run_report import ReportPlanner

log = logging.getLogger(__name__)


class Reporter:
    """Owns the report: only its own thread calls it. After each change it wakes the supervisor's loop.

    Only `wait_for_start` and `wait_until_reported` wait for the database. The properties may be read at any time.
    """

    def __init__(self, report: Report, remarks: ChunkNumbering) -> None:
        self._report = report
        self._about = logs.current_run_log_labels()
        self._state = ReportPlanner(remarks)
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self._far.setblocking(False)
        self._thread = threading.Thread(target=self._run, name=f"chroniker-{report.run_id}", daemon=True)
        self._changed = threading.Condition()  # its lock protects the state
        self._began, self._done = threading.Event(), threading.Event()
        self._shared_progress = -1

    # For the supervisor's loop.

    @property
    def deadline(self) -> float:
        """Until this time (boot clock) the lease is certainly held. The margin is subtracted already."""
        return self._state.lease.deadline

    @property
    def renewal_count(self) -> int:
        """The number of extensions of the deadline."""
        return self._state.lease.renewal_count

    @property
    def lease_lost_because(self) -> str:
        """Why the lease was lost; empty while it is held."""
        return self._state.lease.lease_lost_because

    @property
    def stop_requested_by(self) -> str:
        """The person or program that requested a stop; empty: no request."""
        return self._state.lease.stop_requested_by

    @property
    def backlog_length(self) -> int:
        """Characters of output that wait to be stored."""
        return self._state.output.size

    def request_start(self) -> None:
        """Start the run; `wait_for_start` returns the result."""
        self._thread.start()

    def wait_for_start(self) -> RunSpec | None:
        """Waits for the start. None: it was refused. If all tries failed, raises the error of the last try."""
        self._began.wait()
        if self._state.error is not None:
            raise self._state.error
        return self._state.spec

    def fileno(self) -> int:
        """A descriptor that is readable after a change."""
        return self._near.fileno()

    def clear_wakeups(self) -> None:
        """Make the descriptor unreadable until the next change."""
        try:
            while self._near.recv(4096):
                pass
        except BlockingIOError:
            pass

    def queue_output(self, chunks: Sequence[Chunk]) -> None:
        """Add output that has to be stored."""
        if chunks:
            with self._changed:
                self._state.queue_output(chunks)
                self._changed.notify()

    def watch_progress(self, progress_descriptor: int) -> None:
        """Report this progress with each renewal."""
        self._shared_progress = os.dup(progress_descriptor)

    def renew_now(self) -> None:
        """Renew at once; the answer shows a stop request."""
        with self._changed:
            self._state.lease.renew_soon()
            self._changed.notify()

    def mark_lease_lost(self, reason: str) -> None:
        """The lease is lost and the run is being killed: send no more renewals."""
        with self._changed:
            self._state.lease.mark_lost(reason)

    def report_outcome(self, outcome: RunOutcome, *, output_first: bool) -> None:
        """Report the outcome. `output_first`: store the waiting output first, unless that takes too long."""
        with self._changed:
            self._state.finish(outcome, host_clock.monotonic(), output_first=output_first)
            self._changed.notify()

    def wait_until_reported(self) -> bool | None:
        """Wait until all is reported. True: the run shows its outcome; False: the report came too late.

        None: the database did not answer for the length of a lease and half a minute.
        """
        spec = self._state.spec
        assert spec is not None
        self._done.wait(
            spec.lease
            + timing.FINISH_RETRY_SECONDS_AFTER_LEASE
            + timing.OUTPUT_WAIT_BEFORE_FINISH_SECONDS
            + timing.OUTPUT_WAIT_AFTER_FINISH_SECONDS
        )
        return self._state.outcome.finished

    def close(self) -> None:
        self._near.close()
        self._far.close()

    # The thread.

    def _run(self) -> None:
        with logs.label_log_records_with_run(self._about):
            self._report_run()

    def _report_run(self) -> None:
        try:
            while self._do_next_action():
                pass
            self._record_missing_output()
        except BaseException as error:  # otherwise the supervisor would wait for a thread that has ended
            log.exception("run %s: its reporter failed", self._report.run_id)
            self._state.error = error
            self.mark_lease_lost(f"the report failed: {error!r}")
        finally:
            if self._shared_progress >= 0:
                os.close(self._shared_progress)
            self._drop_connection()
            self._began.set()
            self._done.set()
            self._wake_supervisor()

    def _do_next_action(self) -> bool:
        """Carry out the next action, or wait. Returns whether there is more to do."""
        with self._changed:
            action = self._state.next_action(self._read_clocks_and_progress())
            if isinstance(action, Wait):
                self._changed.wait(action.seconds)
                return True
        if isinstance(action, NothingToReport):
            return False
        self._send_and_handle_answer(action)
        if self._state.is_started:
            self._began.set()
        self._wake_supervisor()
        return True

    def _read_clocks_and_progress(self) -> ClocksAndProgress:
        shown = progress.read_progress_record(self._shared_progress) if self._shared_progress >= 0 else None
        return ClocksAndProgress(host_clock.boot(), host_clock.monotonic(), shown)

    def _send_and_handle_answer(self, action: Call) -> None:
        try:
            answer = self._send_report(action)
        except Exception as error:  # of any driver; the action is tried again until its own limit
            self._log_and_drop_connection(action.log_name, error)
            refused = isinstance(error, (DataError, ValueError))  # the database works, but refuses this text
            with self._changed:
                self._state.on_failure(action, error, self._read_clocks_and_progress(), refused=refused)
        else:
            with self._changed:
                self._state.on_answer(action, answer, self._read_clocks_and_progress())

    def _send_report(self, action: Call) -> object:
        match action:
            case StartRun():
                return self._report.start(os.getpid())
            case RenewLease():
                return self._report.renew(action.progress)
            case InsertOutput():
                return self._report.store_output(action.chunks)
            case FinishRun():
                return self._report.finish(action.outcome)

    def _record_missing_output(self) -> None:
        """Record missing output as an event of the run: events are accepted even without the lease."""
        if missing := self._state.missing_output_reason:
            try:
                self._report.record_event(NOTE_EVENT_KIND, missing)
            except Exception as error:
                self._log_and_drop_connection("note", error)

    def _log_and_drop_connection(self, report_name: str, error: Exception) -> None:
        """Log the failure and drop the connection. It may be broken, and the next try opens a new connection."""
        log.warning("run %s: %s failed: %r", self._report.run_id, report_name, error)
        self._drop_connection()

    def _drop_connection(self) -> None:
        try:
            self._report.close()
        except Exception as error:  # a broken connection may also fail to close
            log.debug("run %s: closing its connection failed: %r", self._report.run_id, error)

    def _wake_supervisor(self) -> None:
        with suppress(OSError):  # the socket is full of wake-ups, or the loop has ended
            self._far.send(b"!")
