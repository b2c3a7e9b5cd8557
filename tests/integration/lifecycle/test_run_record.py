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
from chroniker.job_commands.policy import MAX_RECORDED_LENGTH
from chroniker.lifecycle import Outcome
from chroniker.lifecycle.close import MAX_ERROR_LINE_LENGTH
from chroniker.models import Job, Run, RunEvent, Status, Trigger
from chroniker.process.run_spec import RunOutcome
from chroniker.reasons import Code
from chroniker.scheduler import dispatch
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.integration.lifecycle.steps import claimed, reread
from tests.integration.lifecycle.triggered_jobs import an_activation
from tests.support.factories import a_booked_job, a_due_job, started
from tests.support.statements import do_regular_work

SECOND, MINUTE = dt.timedelta(seconds=1), dt.timedelta(minutes=1)


def test_a_claim_records_where_and_what_it_will_execute() -> None:
    job = a_due_job(command="noop", args="--level 'two words'", queue="slow", executor="default")
    run = reread(claimed(job))
    assert (run.executor, run.queue, run.argv) == ("default", "slow", ["noop", "--level", "two words"])
    assert (run.chain, run.origin, run.asked_by) == (run.token, Trigger.SCHEDULE, "")


def test_only_a_run_by_hand_has_an_event_about_its_request() -> None:
    """The run of an event names its cause, in columns of its own."""
    job = a_booked_job(cron="0 0 1 1 *")
    an_activation(job, asked_by="shop")
    assert claimed(job).asked_by == "shop"
    assert not RunEvent.objects.exists()
    by_hand = run_now(a_booked_job(cron="0 0 1 1 *"), requested_by="ann")
    [event] = RunEvent.objects.all()
    assert (event.run_id, event.code, event.args) == (by_hand.pk, Code.REQUESTED, {"who": "ann"})


def test_a_claim_of_a_command_that_cannot_be_split_records_no_words() -> None:
    job = a_due_job()
    Job.objects.filter(pk=job.pk).update(args="'open")
    assert reread(claimed(job)).argv is None


@pytest.mark.parametrize(
    "args",
    ["x" * MAX_RECORDED_LENGTH, "x" * (MAX_RECORDED_LENGTH + 1), "word " * 10_000],
    ids=["words", "text", "many words"],
)
def test_a_very_long_command_line_is_executed_and_not_recorded(args: str) -> None:
    run = claimed(a_due_job(command="noop", args=args))
    assert reread(run).argv is None
    spec = DatabaseReport(run.pk, run.token).start(1)
    assert spec is not None
    assert [*spec.argv] == ["noop", *args.split()]
    assert reread(run).argv is None


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
    assert (run.cpu_seconds, run.max_rss_kb, run.error_line) == (1.5, 4096, long[:MAX_ERROR_LINE_LENGTH])


def test_a_success_records_no_error() -> None:
    run = claimed(a_due_job())
    report = DatabaseReport(run.pk, run.token)
    report.start(1)
    report.finish(RunOutcome("exited", exit_code=0, error_line="only a warning"))
    assert reread(run).error_line == ""
    assert reread(run).cpu_seconds is None


def test_a_running_run_records_the_count_of_its_monitor_within_the_limits_of_the_column() -> None:
    run, other = claimed(a_due_job()), claimed(a_due_job())
    assert not lifecycle.record_monitor_count(run.pk, run.token, 5), "it has not started"
    nonce, _nonce_of_other = started(run), started(other)
    assert not lifecycle.record_monitor_count(run.pk, run.token + 1, 5)
    assert reread(run).attention_count is None
    for count, recorded in ((2**40, 2_147_483_647), (7, 7), (-1, 0)):
        assert lifecycle.record_monitor_count(run.pk, run.token, count)
        assert (reread(run).attention_count, reread(other).attention_count) == (recorded, None)
    end(run, nonce)
    assert not lifecycle.record_monitor_count(run.pk, run.token, 5)


@pytest.mark.every_database
@pytest.mark.database("sqlite", "postgres")
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
