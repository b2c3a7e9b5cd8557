"""What a run records about its way, without any statement of its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle
from chroniker.clock import jump_detection
from chroniker.clock.database_clock import database_now
from chroniker.executors.database_report import DatabaseReport
from chroniker.job_commands.policy import LONGEST_RECORDED
from chroniker.lifecycle import Outcome, plan
from chroniker.lifecycle.close import ERROR_LINE_LENGTH
from chroniker.models import Job, JobState, Run, Status, Trigger
from chroniker.process.run_spec import RunOutcome
from chroniker.schedule import Frequency
from chroniker.scheduler import dispatch
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.support.factories import a_booked_job, a_due_job, started, state_of
from tests.support.statements import do_regular_work

SECOND, MINUTE = dt.timedelta(seconds=1), dt.timedelta(minutes=1)


def claimed(job: Job) -> Run:
    return next(run for run in tick().claimed if run.job_id == job.pk)


def reread(run: Run) -> Run:
    return Run.objects.get(pk=run.pk)


def retried(run: Run, status: Status = Status.FAILED) -> Run:
    """The next attempt after ``run`` has ended with this status."""
    assert lifecycle.finish(run.pk, run.token, started(run), Outcome(status))
    return claimed(run.job)


def test_a_claim_records_where_and_what_it_will_execute() -> None:
    job = a_due_job(command="noop", args="--level 'two words'", queue="slow", executor="default")
    run = reread(claimed(job))
    assert (run.executor, run.queue, run.argv) == ("default", "slow", ["noop", "--level", "two words"])
    assert (run.chain, run.origin, run.asked_by) == (run.token, Trigger.SCHEDULE, "")


def test_a_claim_of_a_command_that_cannot_be_split_records_no_words() -> None:
    job = a_due_job()
    Job.objects.filter(pk=job.pk).update(args="'open")
    assert reread(claimed(job)).argv is None


@pytest.mark.parametrize(
    "args",
    ["x" * LONGEST_RECORDED, "x" * (LONGEST_RECORDED + 1), "word " * 10_000],
    ids=["words", "text", "many words"],
)
def test_a_very_long_command_line_is_executed_and_not_recorded(args: str) -> None:
    run = claimed(a_due_job(command="noop", args=args))
    assert reread(run).argv is None
    spec = DatabaseReport(run.pk, run.token).start(1)
    assert spec is not None
    assert [*spec.argv] == ["noop", *args.split()]
    assert reread(run).argv is None


def test_a_scheduled_run_is_for_the_instants_that_it_covers() -> None:
    job = a_due_job(minutes=3)
    run = reread(claimed(job))
    assert (run.instant, run.instant_until) == (run.scheduled_for, run.covered_until)
    assert state_of(job).last_instant == run.covered_until


def test_the_interval_of_the_first_run_begins_at_the_scheduled_time_before_it() -> None:
    """Which no claim has covered: the job was saved after it."""
    run = reread(claimed(a_due_job(minutes=6)))
    assert run.instant is not None and run.instant_until is not None
    assert run.interval_start == run.instant - MINUTE
    assert run.instant_until - run.instant >= 5 * MINUTE


def test_the_first_run_of_a_job_that_runs_once_has_no_interval() -> None:
    run_at = database_now() - MINUTE
    job = a_booked_job(frequency=Frequency.ONCE, cron="", run_at=run_at)
    assert reread(claimed(job)).interval_start is None


def test_a_retry_is_for_the_old_scheduled_time_after_an_edit_of_schedule_and_arguments() -> None:
    job = a_due_job(minutes=3, command="takes", args="--old", max_retries=1, retry_backoff_seconds=0)
    first = reread(claimed(job))
    Job.objects.filter(pk=job.pk).update(args="--new")
    job.refresh_from_db()
    job.cron = "0 0 1 1 *"
    job.save()
    again = reread(retried(first))
    assert (again.trigger, again.origin) == (Trigger.RETRY, Trigger.SCHEDULE)
    for name in ("instant", "instant_until", "interval_start"):
        assert getattr(again, name) == getattr(first, name), name
    assert (first.argv, again.argv) == (["takes", "--old"], ["takes", "--new"])


def test_a_run_by_hand_is_for_the_scheduled_time_that_was_requested() -> None:
    job = a_booked_job(cron="0 3 * * *")
    asked = dt.datetime(2026, 3, 29, 3, tzinfo=dt.UTC)
    run = reread(run_now(job, by="ann", instant=asked))
    assert (run.instant, run.instant_until, run.scheduled_for) == (asked, asked, None)
    assert run.interval_start == asked - dt.timedelta(days=1)


def test_a_requested_time_needs_a_time_zone() -> None:
    job = a_booked_job(cron="0 3 * * *")
    with pytest.raises(ValueError, match="2026-03-29 03:00:00 has no time zone"):
        run_now(job, by="ann", instant=dt.datetime(2026, 3, 29, 3))
    assert not Run.objects.filter(job=job).exists()


def test_a_requested_time_for_a_schedule_that_is_not_valid_has_no_interval() -> None:
    job = a_booked_job(cron="0 3 * * *")
    Job.objects.filter(pk=job.pk).update(cron="no cron")
    assert reread(run_now(job, by="ann", instant=database_now())).interval_start is None


def test_the_interval_of_a_run_begins_at_the_last_instant_of_the_claim_before_it() -> None:
    """Although the schedule was edited in between: the plan does not compute it from the schedule as it is now."""
    job = a_due_job(minutes=3)
    first = claimed(job)
    lifecycle.finish(first.pk, first.token, started(first), Outcome(Status.SUCCEEDED))
    Job.objects.filter(pk=job.pk).update(cron="* * * * * *", edited_at=database_now() - SECOND)
    second = reread(claimed(job))
    assert second.interval_start == first.covered_until


def test_a_run_by_hand_is_for_the_moment_of_its_request_and_names_who_requested_it() -> None:
    run = reread(run_now(a_booked_job(cron="0 0 1 1 *"), by="ann" + "n" * 200))
    assert run.instant is not None
    assert (run.instant_until, run.origin) == (run.instant, Trigger.MANUAL)
    assert run.instant <= run.claimed_at
    assert run.asked_by == ("ann" + "n" * 200)[:150]


def test_a_run_by_hand_is_for_its_moment_to_the_microsecond() -> None:
    """Cut to seconds it might equal a scheduled time, which then seems to have been done."""
    now = dt.datetime(2026, 3, 29, 3, 0, 0, 1, tzinfo=dt.UTC)
    [run] = plan.by_hand(state_of(a_booked_job(cron="0 3 * * *")), now).runs
    assert (run.instant, run.instant_until) == (now, now)


def test_a_retry_belongs_to_the_chain_and_is_for_the_instants_of_the_first_attempt() -> None:
    job = a_due_job(minutes=2, cron="* * * * *", max_retries=2, retry_backoff_seconds=0)
    first = claimed(job)
    Job.objects.filter(pk=job.pk).update(args="--changed")
    second = retried(first)
    third = reread(retried(second))
    assert (third.trigger, third.origin, third.chain) == (Trigger.RETRY, Trigger.SCHEDULE, first.token)
    assert (third.instant, third.instant_until) == (first.scheduled_for, first.covered_until)
    assert third.argv == ["noop", "--changed"]


def test_a_retry_after_a_run_by_hand_still_belongs_to_its_own_chain() -> None:
    job = a_due_job(cron="0 0 1 1 *", minutes=600_000, max_retries=1, retry_backoff_seconds=3600)
    first = claimed(job)
    assert lifecycle.finish(first.pk, first.token, started(first), Outcome(Status.FAILED))
    other = run_now(job, by="ann", args="--verbosity 2")
    assert lifecycle.finish(other.pk, other.token, started(other), Outcome(Status.SUCCEEDED))
    JobState.objects.filter(pk=job.pk).update(retry_at=database_now())
    again = reread(claimed(job))
    assert (again.chain, again.origin, again.args) == (first.token, Trigger.SCHEDULE, None)
    assert (again.instant, again.instant_until) == (first.scheduled_for, first.covered_until)


def test_a_retry_of_a_deleted_attempt_belongs_to_the_chain_and_has_no_instant() -> None:
    """Retention keeps that attempt; a project may delete it all the same."""
    first = claimed(a_due_job(max_retries=1, retry_backoff_seconds=0))
    assert lifecycle.finish(first.pk, first.token, started(first), Outcome(Status.FAILED))
    Run.objects.filter(pk=first.pk).delete()
    again = reread(claimed(first.job))
    assert (again.trigger, again.chain, again.origin, again.attempt) == (Trigger.RETRY, first.token, "SCHEDULE", 2)
    assert (again.instant, again.depth) == (None, 0)


def test_a_start_records_the_worker_and_when_it_received_the_run() -> None:
    run = claimed(a_due_job())
    waited = 5 * SECOND
    with override_settings(CHRONIKER_RELEASE="v7"):
        lifecycle.start(run.pk, run.token, uuid4(), host="h", pid=1, worker="celery@h", queue="q", waited=waited)
    run = reread(run)
    assert (run.worker, run.queue, run.release) == ("celery@h", "q", "v7")
    assert run.taken_at is not None
    assert run.started_at is not None
    assert abs(run.started_at - run.taken_at - waited) < SECOND


def test_a_run_is_never_dispatched_before_its_claim() -> None:
    """The time of a pass is read before its claims, which read the database's clock again."""
    run = claimed(a_due_job())
    lifecycle.record_dispatched([run], run.claimed_at - 5 * SECOND)
    run = reread(run)
    assert run.dispatched_at == run.claimed_at


def test_a_start_keeps_the_queue_that_the_dispatch_recorded() -> None:
    run = claimed(a_due_job())
    run.queue = "sent to"
    lifecycle.record_dispatched([run], database_now())
    lifecycle.start(run.pk, run.token, uuid4(), host="h", pid=1, queue="received from")
    assert reread(run).queue == "sent to"


def test_a_dispatch_records_the_queues_that_the_executor_names(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [claimed(a_due_job()) for _each in range(3)]
    names = dict(zip([run.pk for run in runs], ["a", "b", "a"], strict=True))
    monkeypatch.setattr("chroniker.executors.dummy.DummyExecutor.dispatch", lambda self, group: names)
    dispatch.dispatch(runs, database_now())
    assert [reread(run).queue for run in runs] == ["a", "b", "a"]


def test_a_start_records_the_command_line_of_a_job_that_was_edited_since_the_claim() -> None:
    run = claimed(a_due_job(args="--old"))
    Job.objects.filter(pk=run.job_id).update(args="--new")
    spec = DatabaseReport(run.pk, run.token).start(1)
    assert spec is not None
    assert reread(run).argv == [*spec.argv] == ["noop", "--new"]


def test_an_end_records_what_was_measured_and_the_last_line_on_stderr() -> None:
    run = claimed(a_due_job())
    report = DatabaseReport(run.pk, run.token)
    report.start(1)
    long = "x" * 400
    report.finish(RunOutcome("exited", exit_code=1, error_line=long, cpu_seconds=1.5, max_rss_kb=4096))
    run = reread(run)
    assert (run.cpu_seconds, run.max_rss_kb, run.error_line) == (1.5, 4096, long[:ERROR_LINE_LENGTH])


def test_a_success_records_no_error() -> None:
    run = claimed(a_due_job())
    report = DatabaseReport(run.pk, run.token)
    report.start(1)
    report.finish(RunOutcome("exited", exit_code=0, error_line="only a warning"))
    assert reread(run).error_line == ""
    assert reread(run).cpu_seconds is None


def test_claim_start_and_finish_need_no_statement_for_it() -> None:
    """The numbers are those of before these columns existed. Statements of transactions are not counted."""
    a_due_job()
    jump_detection.read_clock()
    do_regular_work()
    claim = _statements(tick, "INSERT", "UPDATE", "DELETE")
    assert len(claim) == 3, "the run with its dispatch, its lease, the state"
    run, nonce = Run.objects.get(), uuid4()
    reads_and_writes = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
    start, finish = (1, 2) if connection.vendor == "postgresql" else (3, 6)
    assert len(_statements(lambda: begin(run, nonce), *reads_and_writes)) == start
    assert len(_statements(lambda: end(run, nonce), *reads_and_writes)) == finish


def begin(run: Run, nonce: UUID) -> None:
    assert lifecycle.start(run.pk, run.token, nonce, host="here", pid=1)


def end(run: Run, nonce: UUID) -> None:
    assert lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED))


def _statements(step: Callable[[], object], *verbs: str) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        step()
    found = [str(each["sql"]) for each in queries if each["sql"].lstrip("( ").startswith(verbs)]
    return [sql for sql in found if "set_config" not in sql]
