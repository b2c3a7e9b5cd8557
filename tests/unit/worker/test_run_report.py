"""The next report about a run, decided without a thread, a socket, a database or a clock."""

from __future__ import annotations

from uuid import UUID

from chroniker.process.run_spec import LeaseRenewalAnswer, RunOutcome, RunSpec
from chroniker.reasons import Code
from chroniker.worker.output import REMARK_STREAM, STDOUT, ChunkNumbering
from chroniker.worker.report_actions import (
    Action,
    ClocksAndProgress,
    FinishRun,
    InsertOutput,
    NothingToReport,
    RenewLease,
    StartRun,
    Wait,
)
from chroniker.worker.run_report import ReportPlanner

SPEC = RunSpec(UUID(int=1), 1, 1, ("true",), lease=60.0, margin=12.0, heartbeat=10.0)
OUTCOME = RunOutcome("exited", 0)


def at(seconds: float, progress: tuple[int, int] | None = None) -> ClocksAndProgress:
    """A machine that has been suspended for 1000 seconds."""
    return ClocksAndProgress(boot=1000.0 + seconds, monotonic=seconds, progress=progress)


def started(seconds: float = 0.0) -> ReportPlanner:
    report = ReportPlanner(ChunkNumbering(REMARK_STREAM))
    action = report.next_action(at(seconds))
    assert action == StartRun(1000.0 + seconds)
    report.on_answer(action, SPEC, at(seconds + 1))
    return report


def renewed(report: ReportPlanner, seconds: float, answer: LeaseRenewalAnswer) -> None:
    action = report.next_action(at(seconds))
    assert isinstance(action, RenewLease)
    report.on_answer(action, answer, at(seconds + 5))


def with_output(report: ReportPlanner, text: str = "line\n") -> ReportPlanner:
    report.queue_output([ChunkNumbering(STDOUT).make_chunk(text)])
    return report


def kind(action: Action) -> type[Action]:
    return type(action)


def test_the_lease_is_measured_from_before_the_start_was_sent() -> None:
    assert started().lease.deadline == 1000.0 + 60.0 - 12.0


def test_the_lease_is_measured_from_before_a_renewal_was_sent() -> None:
    report = started()
    renewed(report, 10.0, LeaseRenewalAnswer(held=True))
    assert report.lease.deadline == 1010.0 + 60.0 - 12.0


def test_a_renewal_is_sent_before_output_and_outcome() -> None:
    report = with_output(started())
    report.finish(OUTCOME, 10.0, output_first=False)
    assert kind(report.next_action(at(10.0))) is RenewLease


def test_a_repeated_start_renews_before_the_command_begins() -> None:
    report = ReportPlanner(ChunkNumbering(REMARK_STREAM))
    action = report.next_action(at(0))
    assert isinstance(action, StartRun)
    report.on_failure(action, OSError(), at(30))
    again = report.next_action(at(31))
    assert again == StartRun(1000.0), "the first attempt may be committed, so the lease is measured from it"
    report.on_answer(again, SPEC, at(50))
    started_before = report.is_started
    renewed(report, 50.0, LeaseRenewalAnswer(held=True))
    assert (started_before, report.is_started) == (False, True)
    assert report.lease.deadline == 1050.0 + 48.0


def test_a_refused_start_ends_the_report() -> None:
    report = ReportPlanner(ChunkNumbering(REMARK_STREAM))
    action = report.next_action(at(0))
    assert isinstance(action, StartRun)
    report.on_answer(action, None, at(1))
    assert report.is_started
    assert report.next_action(at(1)) == NothingToReport()


def test_a_start_is_abandoned_after_several_attempts() -> None:
    report, moment = ReportPlanner(ChunkNumbering(REMARK_STREAM)), 0.0
    for _ in range(5):
        while isinstance(action := report.next_action(at(moment)), Wait):
            moment += action.seconds
        assert isinstance(action, StartRun)
        report.on_failure(action, OSError("down"), at(moment))
    assert isinstance(report.error, OSError)
    assert report.next_action(at(moment)) == NothingToReport()


def test_a_lost_lease_is_not_renewed_again() -> None:
    report = started()
    renewed(report, 10.0, LeaseRenewalAnswer(held=False))
    assert report.lease.lease_lost_because == Code.LEASE_UNKNOWN
    assert isinstance(report.next_action(at(1e6)), Wait)


def test_new_progress_is_reported_early_but_not_more_than_once_a_second() -> None:
    report = started()
    renewed(report, 10.0, LeaseRenewalAnswer(held=True))
    assert isinstance(report.next_action(at(10.9, (10, 1))), Wait)
    assert report.next_action(at(11.0, (10, 1))) == RenewLease(1011.0, (10, 1))


def test_a_finish_waits_for_output_for_a_limited_time() -> None:
    report = with_output(started())
    report.finish(OUTCOME, 2.0, output_first=True)
    insert = report.next_action(at(2.0))
    assert isinstance(insert, InsertOutput)
    report.on_failure(insert, OSError(), at(2.0))
    assert isinstance(report.next_action(at(2.5)), Wait)
    finish = report.next_action(at(7.0))
    assert isinstance(finish, FinishRun)
    assert finish.outcome.unstored_characters == len("line\n")


def test_output_may_follow_the_outcome_and_missing_output_is_counted() -> None:
    report = with_output(started())
    report.finish(OUTCOME, 2.0, output_first=False)
    finish = report.next_action(at(2.0))
    assert isinstance(finish, FinishRun)
    report.on_answer(finish, True, at(2.0))
    insert = report.next_action(at(2.0))
    assert isinstance(insert, InsertOutput)
    report.on_failure(insert, OSError(), at(2.0))
    assert report.next_action(at(33.0)) == NothingToReport()
    assert "may be missing. Characters not known to be stored: " in str(report.missing_output_reason)


def test_a_finish_without_a_response_is_abandoned() -> None:
    report = started()
    report.finish(OUTCOME, 2.0, output_first=True)
    report.lease.mark_lost("for the test")
    finish = report.next_action(at(2.0))
    assert isinstance(finish, FinishRun)
    report.on_failure(finish, OSError(), at(3.0))
    assert isinstance(report.next_action(at(3.5)), Wait)
    assert isinstance(report.next_action(at(4.0)), FinishRun)
    assert report.next_action(at(2.0 + 60.0 + 31.0)) == NothingToReport()
    assert report.outcome.finished is None
