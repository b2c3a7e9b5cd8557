"""Decides which report about a run is sent next. Uses no thread, no socket and no database.

Renewals go first. Between two renewals there is at most one insert of output, of bounded size, and each statement has a
time limit; so much output or a slow disk delays a renewal only a little.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from chroniker.process.run_spec import RunOutcome, RunSpec
from chroniker.reasons import NO_REASON, Code, Reason
from chroniker.worker import report_timing as timing
from chroniker.worker.lease_renewal import LeaseRenewal
from chroniker.worker.output import Chunk, ChunkNumbering, OutputQueue
from chroniker.worker.report_actions import (
    Action,
    Call,
    ClocksAndProgress,
    FinishRun,
    InsertOutput,
    NothingToReport,
    RenewLease,
    StartRun,
    Wait,
)

_SHORTEST_WAIT_SECONDS = 0.001


class OutcomeReport:
    """The report of the outcome. It is sent after the waiting output, unless that takes too long.

    `finished`: the answer of the database. True: the run shows this outcome; False: the report was too late; None:
    no answer (yet).
    """

    def __init__(self) -> None:
        self.outcome: RunOutcome | None = None
        self.finished: bool | None = None
        self._try_at = 0.0  # monotonic clock, like all times in this class
        self._drain_until = self._give_up_at = float("inf")

    def request_report(self, outcome: RunOutcome, now: float, *, output_first: bool, lease: float) -> None:
        self.outcome = outcome
        self._drain_until = now + (timing.OUTPUT_WAIT_BEFORE_FINISH_SECONDS if output_first else 0.0)
        self._give_up_at = now + lease + timing.FINISH_RETRY_SECONDS_AFTER_LEASE

    @property
    def is_unanswered(self) -> bool:
        """Whether the database has not yet answered the report."""
        return self.finished is None

    def is_due(self, now: ClocksAndProgress, *, output_waits: bool) -> bool:
        if self.outcome is None or not self.is_unanswered or now.monotonic < self._try_at:
            return False
        return not output_waits or now.monotonic >= self._drain_until

    def is_reporting_over(self, now: ClocksAndProgress, *, output_waits: bool) -> bool:
        """Whether nothing is left to report about this run."""
        if self.outcome is None:
            return False
        if self.is_unanswered:
            return now.monotonic > self._give_up_at
        return not output_waits or now.monotonic > self._drain_until

    def on_answer(self, answer: bool, now: ClocksAndProgress) -> None:
        self.finished = answer
        self._drain_until = now.monotonic + timing.OUTPUT_WAIT_AFTER_FINISH_SECONDS

    def on_failure(self, now: ClocksAndProgress) -> None:
        self._try_at = now.monotonic + timing.RETRY_SECONDS

    def next_decision_times(self) -> list[float]:
        """The times at which a decision may change without an event."""
        return [self._try_at, self._drain_until]


class ReportPlanner:
    """`next_action` returns the next action; `on_answer` or `on_failure` gets its result. Only one thread
    may use it at a time."""

    def __init__(self, remarks: ChunkNumbering) -> None:
        self.spec: RunSpec | None = None
        self.error: BaseException | None = None  #: why the start was given up
        self.lease = LeaseRenewal()
        self.outcome = OutcomeReport()
        self.output = OutputQueue()
        self.is_started = False  #: the start has an answer or was given up, and the deadline is known
        self._remarks = remarks
        self._refused = False
        self._first_asked: float | None = None
        self._start_tries = 0
        self._start_at = self._insert_at = 0.0  # monotonic clock

    # Called by the supervisor.

    def queue_output(self, chunks: Sequence[Chunk]) -> None:
        """Add output that has to be stored."""
        self.output.put(chunks)

    def finish(self, outcome: RunOutcome, now: float, *, output_first: bool) -> None:
        """Report the outcome. `output_first`: store the waiting output first, unless that takes too long."""
        assert self.spec is not None
        self.outcome.request_report(outcome, now, output_first=output_first, lease=self.spec.lease)

    # Decides on the next action.

    def next_action(self, now: ClocksAndProgress) -> Action:
        """The most urgent thing to do at this moment."""
        if self.spec is None:
            return self._start_action(now)
        waiting = bool(self.output)
        if self.outcome.is_reporting_over(now, output_waits=waiting):
            return NothingToReport()
        if self.outcome.is_unanswered and self.lease.is_due(now):
            return self.lease.next_renewal(now)
        if self.outcome.outcome is not None and self.outcome.is_due(now, output_waits=waiting):
            return FinishRun(
                dataclasses.replace(self.outcome.outcome, unstored_characters=self.output.unstored_characters)
            )
        if waiting and now.monotonic >= self._insert_at:
            return InsertOutput(self.output.next_batch())
        return Wait(self._longest_wait(now))

    def _start_action(self, now: ClocksAndProgress) -> Action:
        """Try the start, or repeat it. The lease counts from the first try: it may have succeeded without an answer."""
        if self._refused or self.error is not None:
            return NothingToReport()
        if now.monotonic < self._start_at:
            return Wait(max(_SHORTEST_WAIT_SECONDS, self._start_at - now.monotonic))
        if self._first_asked is None:
            self._first_asked = now.boot
        return StartRun(self._first_asked)

    def _longest_wait(self, now: ClocksAndProgress) -> float:
        moments = [self._insert_at, *self.outcome.next_decision_times()]
        waits = [moment - now.monotonic for moment in moments] + [timing.RETRY_SECONDS]
        if self.outcome.is_unanswered:
            waits.append(self.lease.seconds_until_due(now))
        return max(_SHORTEST_WAIT_SECONDS, min(wait for wait in waits if wait > 0))

    # Handles the results of actions.

    def on_answer(self, action: Call, answer: object, now: ClocksAndProgress) -> None:
        """The database answered."""
        match action:
            case StartRun():
                self._on_start_answer(action, answer)  # type: ignore[arg-type]  # each call has its own type of answer
            case RenewLease():
                self.lease.on_answer(action, answer)  # type: ignore[arg-type]
                self.is_started = True
            case InsertOutput():
                self._on_insert_answer(action, stored=bool(answer))
            case FinishRun():
                self._on_finish_answer(bool(answer), now)

    def on_failure(self, action: Call, error: Exception, now: ClocksAndProgress, *, refused: bool = False) -> None:
        """There was no answer. `refused`: the database will never accept the text of this output."""
        match action:
            case StartRun():
                self._on_start_failure(error, now)
            case RenewLease():
                self.lease.on_failure(now)
                self.is_started = True
            case InsertOutput() if refused:
                self.output.on_refusal(action.chunks)
            case InsertOutput():
                self._insert_at = now.monotonic + timing.RETRY_SECONDS
                self.output.on_failure()
            case FinishRun():
                self.outcome.on_failure(now)

    def _on_start_answer(self, action: StartRun, spec: RunSpec | None) -> None:
        repeated = self._start_tries > 0
        if spec is None:
            self._refused = True
        else:
            self.spec = spec
            self.lease.begin(spec, action.sent_at, renew_first=repeated)
        self.is_started = self._refused or not repeated

    def _on_start_failure(self, error: Exception, now: ClocksAndProgress) -> None:
        self._start_at = now.monotonic + timing.START_BACKOFF_SECONDS * 2**self._start_tries
        self._start_tries += 1
        if self._start_tries == timing.MAX_START_TRIES:
            self.error = error
            self.is_started = True

    def _on_insert_answer(self, action: InsertOutput, *, stored: bool) -> None:
        if stored:
            self.output.on_stored(action.chunks)
            return
        self.output.close()
        if self.outcome.is_unanswered:
            self.lease.mark_lost(Code.LEASE_UNKNOWN)

    def _on_finish_answer(self, answer: bool, now: ClocksAndProgress) -> None:
        self.outcome.on_answer(answer, now)
        if self.output:
            text = (
                f"The outcome was reported before the end of the output was stored (characters: {self.output.size}).\n"
            )
            self.queue_output([self._remarks.make_chunk(text)])

    @property
    def missing_output_reason(self) -> Reason:
        """The text of an event about output that was not stored, or perhaps not stored; empty if all is stored."""
        missing = self.output.size + self.output.missing
        if self.spec is None or not (missing or self.lease.lease_lost_because):
            return NO_REASON
        return Reason.of(Code.OUTPUT_LOST, n=missing)
