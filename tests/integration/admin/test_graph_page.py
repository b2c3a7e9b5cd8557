"""The page of the graph: its picture, its sentence and its table."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from chroniker.models import JobState
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, a_dependency, a_due_job, started

pytestmark = pytest.mark.django_db(transaction=True)

GRAPH = "/admin/chroniker/job/graph/"


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def text(client: Client, query: str = "") -> str:
    answer = client.get(GRAPH + query)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.content.decode())


def test_without_dependencies_the_page_says_so(client: Client) -> None:
    a_booked_job()
    assert "No job depends on another one." in text(client)


def test_the_sentence_names_the_job_that_holds_back_others(client: Client) -> None:
    load, report = a_booked_job(name="load & go", cron="0 0 1 1 *"), a_due_job(name="report")
    a_dependency(report, load, wait_for_success=True)
    started(run_now(load, requested_by="a test"))
    page = text(client)
    assert "2 jobs are connected by dependencies; 0 have no dependencies." in page
    assert re.search(r"<strong>.*load &amp; go.*</strong> holds back 1 job\.", page)
    assert 'aria-label="load &amp; go: Running' in page and "Holds back" in page
    assert 'data-tone="wait" d="M' in page


def test_every_job_is_a_link_in_the_picture_with_its_full_name(client: Client) -> None:
    name = "a name that is too long for a box of the picture"
    job = a_booked_job(name=name)
    a_dependency(a_booked_job(name="倉庫のデータを毎晩きれいにする仕事"), job, wait_for_success=True)
    page = text(client)
    assert f'aria-label="{name}: ' in page
    assert ">a name that is too long…<" in page or ">a name that is too long f…<" in page
    assert "倉庫のデータを毎晩きれ…<" in page


def test_progress_and_failures_in_a_row_are_in_the_boxes(client: Client) -> None:
    load, report = a_booked_job(name="load"), a_booked_job(name="report", cron="0 0 1 1 *")
    a_dependency(report, load, wait_for_success=True)
    run = run_now(load, requested_by="a test")
    started(run)
    run.lease.__class__.objects.filter(run=run).update(total_parts=77, total_parts_complete=13)
    JobState.objects.filter(pk=report.pk).update(last_status="FAILED", failures=3)
    page = text(client)
    assert "Running · 16.9 %" in page and "Failed · 3 in a row" in page


def test_a_job_is_found_by_a_part_of_its_name(client: Client) -> None:
    a_dependency(a_booked_job(name="report"), a_booked_job(name="load"), wait_for_success=True)
    a_dependency(a_booked_job(name="clean"), a_booked_job(name="fetch"), wait_for_success=True)
    page = text(client, "?q=REP")
    assert 'aria-label="load: ' in page and 'aria-label="fetch: ' not in page
    assert "No job with this name has a dependency." in text(client, "?q=nothing")


@pytest.mark.parametrize(
    "query", ["?job=x", "?job=99999999999999999999", "?group=-1", "?group=7", "?held=2", "?job=9", "?q=%00"]
)
def test_a_query_with_unknown_values_is_answered(client: Client, query: str) -> None:
    a_dependency(a_booked_job(), a_booked_job())
    text(client, query)
