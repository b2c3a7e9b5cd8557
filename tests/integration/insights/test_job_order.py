"""The order of the list of jobs, its pages by key, its filters and numbers."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker.clock.database_clock import database_now
from chroniker.insights import distinct_values, health_facts, job_filters, job_order
from chroniker.insights.job_filters import JobFilter, fetch_job_conditions
from chroniker.models import Group, Host, Job, JobState, Run
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, a_dependency, a_due_job, a_job, started

pytestmark = [pytest.mark.django_db, pytest.mark.every_database, pytest.mark.usefixtures("dummy")]

NEW_YEAR = "0 0 1 1 *"


def pages(order: str = "attention", chosen: JobFilter | None = None) -> list[list[str]]:
    """The names on all pages, as a person sees them who goes through the list."""
    conditions, cursor, found = fetch_job_conditions(database_now()), "", []
    while True:
        page = job_order.fetch_job_page(chosen or JobFilter(), conditions, order, cursor)
        found.append([job.name for job in page.jobs])
        if not page.cursor:
            return found
        cursor = page.cursor


def names(order: str = "attention", chosen: JobFilter | None = None) -> list[str]:
    return [name for page in pages(order, chosen) for name in page]


def one_of_each() -> None:
    a_booked_job(name="quiet", cron=NEW_YEAR)
    a_booked_job(name="off", cron=NEW_YEAR, enabled=False)
    a_job(name="new")
    running, queued, stuck = (a_booked_job(name=name, cron=NEW_YEAR) for name in ("running", "queued", "stuck"))
    started(run_now(running, requested_by="a test"))
    run_now(queued, requested_by="a test")
    Run.objects.filter(pk=run_now(stuck, requested_by="a test").pk).update(
        claimed_at=database_now() - dt.timedelta(minutes=10)
    )
    a_due_job(name="overdue", minutes=10)
    held = a_due_job(name="held", minutes=10)
    a_dependency(held, running, wait_for_completion=True)
    failing = a_booked_job(name="failing", cron=NEW_YEAR)
    JobState.objects.filter(pk=failing.pk).update(failures=2, failing_since=database_now())
    retrying = a_booked_job(name="retrying", cron=NEW_YEAR)
    JobState.objects.filter(pk=retrying.pk).update(retry_at=database_now() + dt.timedelta(hours=1))


def test_those_that_need_attention_are_first_and_disabled_ones_last() -> None:
    one_of_each()
    attention, active = ["failing", "overdue", "stuck"], ["held", "queued", "retrying", "running"]
    assert names() == [*attention, *active, "quiet", "new", "off"]


@pytest.mark.parametrize(
    ("show", "expected"),
    [
        ("attention", ["failing", "overdue", "stuck"]),
        ("running", ["running"]),
        ("waiting", ["held", "overdue", "queued", "retrying", "stuck"]),
        ("overdue", ["overdue"]),
        ("failing", ["failing"]),
        ("disabled", ["off"]),
        ("never", ["failing", "held", "new", "off", "overdue", "quiet", "retrying"]),
    ],
)
def test_a_chip_shows_its_jobs_and_their_number(show: str, expected: list[str]) -> None:
    one_of_each()
    assert sorted(names("name", JobFilter(show=show))) == expected
    assert job_filters.count_jobs_by_show_filter(fetch_job_conditions(database_now()))[show] == len(expected)


def test_a_job_that_a_pause_holds_back_is_not_overdue() -> None:
    job = a_due_job(minutes=10, group=Group.objects.create(name="night", paused_at=database_now()))
    conditions = fetch_job_conditions(database_now())
    assert not Job.objects.filter(conditions.overdue).exists()
    assert list(Job.objects.filter(conditions.waiting)) == [job]


def test_jobs_are_filtered_by_what_they_are() -> None:
    group = Group.objects.create(name="night")
    wanted = a_booked_job(name="wanted one", args="--full", queue="heavy", executor="default", group=group)
    a_booked_job(name="other", command="check")
    started(run_now(wanted, requested_by="a test"), host="batch-1")
    for chosen in (
        JobFilter(group="night"), JobFilter(queue="heavy"), JobFilter(command="noop"), JobFilter(host="batch-1"),
        JobFilter(search="WANTED"), JobFilter(search="--full"), JobFilter(search="one wanted"),
        JobFilter(executor="default", search="full", show="running"),
    ):  # fmt: skip
        assert names(chosen=chosen) == ["wanted one"], chosen
    assert names(chosen=JobFilter(executor="none")) == []


def test_the_choices_are_those_in_use() -> None:
    Host.objects.create(name="web-1", last_seen=database_now())
    Host.objects.create(name="gone", last_seen=database_now() - dt.timedelta(days=2))
    a_booked_job(queue="b", group=Group.objects.create(name="night"))
    a_booked_job(queue="a", command="check")
    now = database_now()
    health_facts.clear_cached_health_facts()
    health_facts.get_cached_health_facts(now)
    with CaptureQueriesContext(connection) as captured:
        found = job_filters.fetch_filter_choices(now)
    assert (found.groups, found.queues, found.commands) == (["night"], ["a", "b"], ["check", "noop"])
    assert (found.executors, found.hosts) == (["default"], ["web-1"])
    assert len(captured) == 1


def test_no_more_choices_are_read_than_a_select_can_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct_values, "MAX_VALUES", 3)
    for name in "cabdea":
        a_booked_job(queue=name)
    a_booked_job(queue="")
    assert job_filters.fetch_filter_choices(database_now()).queues == ["a", "b", "c"]


@pytest.mark.parametrize("order", job_order.JOB_ORDER_NAMES)
def test_each_job_is_on_one_page(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one_of_each()
    now = database_now()
    for number in range(12):
        job = a_booked_job(name=f"job {number:02}", cron=NEW_YEAR)
        JobState.objects.filter(pk=job.pk).update(
            last_finished_at=now - dt.timedelta(hours=number // 3) if number % 4 else None,
            p50=1 / (1 + number // 2) if number % 3 else None, n_succeeded=number, n_failed=number // 2,
        )  # fmt: skip
    everything = names(order)
    monkeypatch.setattr(job_order, "ROWS_PER_PAGE", 3)
    found = pages(order)
    assert [name for page in found for name in page] == everything
    assert sorted(everything) == sorted(Job.objects.values_list("name", flat=True))
    assert {len(page) for page in found[:-1]} == {3}


def test_orders_sort_by_what_they_say() -> None:
    now = database_now()
    for name, ago, p50, failed in (("a", 3, 1.0, 0), ("b", 1, 9.0, 5), ("c", 2, 5.0, 1)):
        job = a_booked_job(name=name, cron=NEW_YEAR)
        JobState.objects.filter(pk=job.pk).update(
            last_finished_at=now - dt.timedelta(hours=ago), p50=p50, bad_permille=failed
        )
    assert (names("last"), names("slowest"), names("success")) == (["b", "c", "a"], ["b", "c", "a"], ["b", "c", "a"])


@pytest.mark.parametrize(
    "cursor", ["", "x", "[]", "[9, 1]", '[0, "x"]', "[1, null, null]", "[" * 5000, '{"a": 1}', "[-1]"]
)
def test_an_invalid_key_gives_the_first_page(cursor: str) -> None:
    a_booked_job(name="only", cron=NEW_YEAR)
    conditions = fetch_job_conditions(database_now())
    page = job_order.fetch_job_page(JobFilter(), conditions, "attention", cursor)
    assert [job.name for job in page.jobs] == ["only"]
