"""The lease of one run: when to renew it, and until when it is certainly held. Uses no thread and no database."""

from __future__ import annotations

from chroniker.process.run_spec import RunSpec
from chroniker.reasons import Code
from chroniker.worker import report_timing as timing
from chroniker.worker.report_actions import ClocksAndProgress, RenewLease
from chroniker.worker.report_interface import RenewalAnswer


class LeaseRenewal:
    """The state of the lease, as the worker knows it.

    `deadline` (boot clock): the lease is certainly held until then; the margin is subtracted already. It counts from a
    time before the request was sent, so it is never later than the lease in the database. `renewal_count`: the number
    of extensions. `lease_lost_because`: why the lease was lost; then no renewal is sent. `stop_requested_by`: the
    person who requested a stop.
    """

    def __init__(self) -> None:
        self.deadline = 0.0
        self.renewal_count = 0
        self.lease_lost_because = ""
        self.stop_requested_by = ""
        self._held_for = self._heartbeat = 0.0
        self._renew_at = self._renewed_at = 0.0
        self._reported_progress: tuple[int, int] | None = None

    def begin(self, spec: RunSpec, sent_at: float, *, renew_first: bool) -> None:
        """The run was started by a request sent at `sent_at` or later."""
        self._held_for, self._heartbeat = spec.lease - spec.margin, spec.heartbeat
        self.deadline = sent_at + self._held_for
        self._renew_at = sent_at if renew_first else sent_at + spec.heartbeat

    def is_due(self, now: ClocksAndProgress) -> bool:
        return not self.lease_lost_because and (now.boot >= self._renew_at or self._has_new_progress(now))

    def seconds_until_due(self, now: ClocksAndProgress) -> float:
        return float("inf") if self.lease_lost_because else self._renew_at - now.boot

    def next_renewal(self, now: ClocksAndProgress) -> RenewLease:
        return RenewLease(now.boot, now.progress or self._reported_progress)

    def renew_soon(self) -> None:
        """Renew as soon as possible, because the supervisor was woken: the answer shows a stop request."""
        self._renew_at = min(self._renew_at, self._renewed_at + timing.MIN_RENEWAL_INTERVAL)

    def on_answer(self, request: RenewLease, answer: RenewalAnswer) -> None:
        self._renewed_at, self._renew_at = request.sent_at, request.sent_at + self._heartbeat
        self._reported_progress = request.progress
        if not answer.held:
            self.mark_lost(Code.LEASE_UNKNOWN)
            return
        self.deadline = request.sent_at + self._held_for
        self.renewal_count += 1
        self.stop_requested_by = self.stop_requested_by or answer.stop_requested_by or ""

    def on_failure(self, now: ClocksAndProgress) -> None:
        self._renew_at = now.boot + min(timing.RETRY_SECONDS, self._heartbeat / 2)

    def mark_lost(self, reason: str) -> None:
        """Record why the lease is lost. A later reason does not replace the first."""
        self.lease_lost_because = self.lease_lost_because or reason

    def _has_new_progress(self, now: ClocksAndProgress) -> bool:
        """Whether there is progress to report, and the last renewal was long enough ago."""
        if now.boot < self._renewed_at + timing.MIN_PROGRESS_INTERVAL:
            return False
        return now.progress not in (None, self._reported_progress)
