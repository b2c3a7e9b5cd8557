"""What needs a person: each kind with its cause, the worst first."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.insights import health_facts
from chroniker.insights.attention import AttentionList, fetch_attention_items
from chroniker.lifecycle import Outcome
from chroniker.models import Job, JobState, Lease, Run, Status
from chroniker.reasons import Code, Reason
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import expire_runs
from tests.integration.insights.test_health import a_queued_run, a_ticker, a_worker
from tests.support.factories import a_booked_job, a_due_job, started, state_of

pytestmark = pytest.mark.django_db

NEVER = "0 0 1 1 *"
HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)


def found() -> AttentionList:
    health_facts.clear_cached_health_facts()
    return fetch_attention_items(database_now())


def kinds() -> list[str]:
    return [item.kind for item in found().items]


def ended(job: Job, status: Status, error_line: str = "") -> Run:
    run = run_now(job, requested_by="a test")
    assert lifecycle.finish(run.pk, run.token, started(run), Outcome(status, error_line=error_line))
    return Run.objects.get(pk=run.pk)


def lost(job: Job) -> Run:
    run = run_now(job, requested_by="a test")
    started(run)
    Lease.objects.filter(pk=run.pk).update(expires_at=database_now() - HOUR)
    expire_runs()
    return Run.objects.get(pk=run.pk)


@pytest.fixture(autouse=True)
def _all_is_well() -> None:
    a_ticker()
    a_worker()


def test_nothing_needs_a_person() -> None:
    ended(a_booked_job(cron=NEVER), Status.SUCCEEDED)
    assert found() == AttentionList([], is_complete=True)


def test_a_failing_job_shows_its_last_error_and_the_run() -> None:
    job = a_booked_job(cron=NEVER)
    ended(job, Status.FAILED, "first")
    last = ended(job, Status.FAILED, "ValueError: no price")
    ended(job, Status.STOPPED)
    (item,) = found().items
    assert (item.kind, item.job, item.run_id, item.error) == ("failing", job, last.pk, "ValueError: no price")
    assert "2 times" in item.problem
    ended(job, Status.SUCCEEDED)
    assert kinds() == []


def test_a_run_that_is_due_is_not_announced_for_a_past_time() -> None:
    job = a_booked_job(cron=NEVER)
    ended(job, Status.FAILED)
    for field, text in (("next_run", "Its next run is due."), ("retry_at", "Its retry is due.")):
        JobState.objects.filter(pk=job.pk).update(**{field: database_now() - MINUTE / 6})
        assert found().items[0].why.endswith(text)


def test_the_cause_of_a_failure_does_not_repeat_the_error_line() -> None:
    job = a_booked_job(cron=NEVER)
    run = ended(job, Status.FAILED, "token abc")
    reason = Reason.joined(Reason.of(Code.EXIT, status=1), Reason.of(Code.LAST_LINE, line="token abc"))
    Run.objects.filter(pk=run.pk).update(**reason.columns())
    (item,) = found().items
    assert item.error == "token abc" and "status 1" in item.why and "abc" not in item.why


def test_a_disabled_job_does_not_need_a_person() -> None:
    job = a_booked_job(cron=NEVER)
    ended(job, Status.FAILED)
    Job.objects.filter(pk=job.pk).update(enabled=False)
    assert kinds() == []


def test_a_lost_run_is_listed_until_a_success_follows() -> None:
    job = a_booked_job(cron=NEVER, retry_on_lost=True, retry_backoff_seconds=3600)
    run = lost(job)
    (item,) = found().items
    assert (item.kind, item.run_id) == ("lost", run.pk)
    assert "retried" in item.why
    by_hand = run_now(job, requested_by="a test")
    assert kinds() == ["lost"], "the retry is still pending"
    assert lifecycle.finish(by_hand.pk, by_hand.token, started(by_hand), Outcome(Status.SUCCEEDED))
    assert kinds() == []


def test_overdue_jobs_and_schedule_errors_are_listed() -> None:
    overdue, broken = a_due_job(minutes=5), a_booked_job(cron=NEVER)
    lifecycle.suspend_schedule(state_of(broken), ValueError("broken"))
    items = found().items
    assert [(item.kind, item.job) for item in items] == [("overdue", overdue), ("schedule_error", broken)]
    assert "ValueError: broken" in items[1].why


def test_things_without_a_job_are_listed_too() -> None:
    a_queued_run(2 * MINUTE, queue="gpu", executor="elsewhere")
    assert kinds() == ["no_worker"]
    type(a_ticker(kind="cronserver")).objects.update(last_at=database_now() - HOUR)
    items = found().items
    assert [item.kind for item in items] == ["no_tick", "no_worker"]
    assert "cronserver" in items[0].why or "beat" in items[0].why


def test_it_says_when_it_may_be_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_facts, "STATEMENT_TIMEOUT_SECONDS", -1.0)
    assert not found().is_complete


def test_the_number_of_statements_does_not_depend_on_the_number_of_jobs() -> None:
    def statements() -> int:
        for _each in range(3):
            ended(a_booked_job(cron=NEVER), Status.FAILED)
            lost(a_booked_job(cron=NEVER))
            a_due_job(minutes=5)
        health_facts.clear_cached_health_facts()
        now = database_now()
        health_facts.get_cached_health_facts(now)
        with CaptureQueriesContext(connection) as captured:
            fetch_attention_items(now)
        return len(captured)

    assert statements() == statements() == 6
