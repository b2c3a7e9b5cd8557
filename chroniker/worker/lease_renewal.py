"""The lease of one run: when it is renewed, and until when it is certainly held. Without thread or database."""

from __future__ import annotations

from chroniker.process.run_spec import RunSpec
from chroniker.worker import end_reasons
from chroniker.worker import report_timing as timing
from chroniker.worker.report_actions import Moment, Renew
from chroniker.worker.report_interface import Renewed


class LeaseRenewal:
    """The state of the lease as this side knows it.

    `deadline`: until when (boot clock) the lease is held for certain, less the margin. It counts from before a
    request was sent, so it is never later than the lease in the database. `renewals`: how often it was moved.
    `lost`: why the lease is gone. `stop`: who requested a stop. After `lost` is set nothing is renewed.
    """

    def __init__(self) -> None:
        self.deadline = 0.0
        self.renewals = 0
        self.lost = ""
        self.stop = ""
        self._held_for = self._heartbeat = 0.0
        self._renew_at = self._renewed_at = 0.0
        self._reported_progress: tuple[int, int] | None = None

    def begin(self, spec: RunSpec, asked: float, *, renew_first: bool) -> None:
        """The run was started by a request sent at `asked` or later."""
        self._held_for, self._heartbeat = spec.lease - spec.margin, spec.heartbeat
        self.deadline = asked + self._held_for
        self._renew_at = asked if renew_first else asked + spec.heartbeat

    def is_due(self, now: Moment) -> bool:
        return not self.lost and (now.boot >= self._renew_at or self._has_new_progress(now))

    def due_in(self, now: Moment) -> float:
        return float("inf") if self.lost else self._renew_at - now.boot

    def request(self, now: Moment) -> Renew:
        return Renew(now.boot, now.progress or self._reported_progress)

    def renew_soon(self) -> None:
        """The supervisor was woken: renew, and so learn of a stop, at once."""
        self._renew_at = min(self._renew_at, self._renewed_at + timing.RING_SECONDS)

    def answered(self, request: Renew, answer: Renewed) -> None:
        self._renewed_at, self._renew_at = request.asked, request.asked + self._heartbeat
        self._reported_progress = request.progress
        if not answer.held:
            self.lose(end_reasons.UNKNOWN_LEASE)
            return
        self.deadline = request.asked + self._held_for
        self.renewals += 1
        self.stop = self.stop or answer.stop or ""

    def failed(self, now: Moment) -> None:
        self._renew_at = now.boot + min(timing.RETRY_SECONDS, self._heartbeat / 2)

    def lose(self, why: str) -> None:
        """The first reason stays."""
        self.lost = self.lost or why

    def _has_new_progress(self, now: Moment) -> bool:
        """Whether there is progress to report, and the last renewal was long enough ago."""
        if now.boot < self._renewed_at + timing.PROGRESS_SECONDS:
            return False
        return now.progress not in (None, self._reported_progress)
