"""The outcome of one run: when to report it, and when to give up. No thread, no database."""

from __future__ import annotations

from chroniker.process.run_spec import RunOutcome
from chroniker.worker import report_timing as timing
from chroniker.worker.report_actions import Moment


class OutcomeReport:
    """The outcome is reported after the waiting output, unless that takes too long; then the output may follow it.

    `finished`: the answer of the database. True: the run shows this outcome; False: the report was too late; None:
    no answer (yet).
    """

    def __init__(self) -> None:
        self.outcome: RunOutcome | None = None
        self.finished: bool | None = None
        self._try_at = 0.0  # monotonic clock, like all times in this class
        self._drain_until = self._give_up_at = float("inf")

    def request(self, outcome: RunOutcome, now: float, *, drain_first: bool, lease: float) -> None:
        self.outcome = outcome
        self._drain_until = now + (timing.DRAIN_FIRST if drain_first else 0.0)
        self._give_up_at = now + lease + timing.FINISH_AFTER_LEASE

    @property
    def is_open(self) -> bool:
        """The database has not answered yet."""
        return self.finished is None

    def is_due(self, now: Moment, *, output_waits: bool) -> bool:
        if self.outcome is None or not self.is_open or now.monotonic < self._try_at:
            return False
        return not output_waits or now.monotonic >= self._drain_until

    def is_over(self, now: Moment, *, output_waits: bool) -> bool:
        """Whether nothing is left to report about this run."""
        if self.outcome is None:
            return False
        if self.is_open:
            return now.monotonic > self._give_up_at
        return not output_waits or now.monotonic > self._drain_until

    def answered(self, answer: bool, now: Moment) -> None:
        self.finished = answer
        self._drain_until = now.monotonic + timing.DRAIN_AFTER

    def failed(self, now: Moment) -> None:
        self._try_at = now.monotonic + timing.RETRY_SECONDS

    def moments(self) -> list[float]:
        """The times at which a decision may change without an event."""
        return [self._try_at, self._drain_until]
