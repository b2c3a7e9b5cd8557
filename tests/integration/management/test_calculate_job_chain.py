"""``manage.py calculate_job_chain``: the duration of a chain of jobs and its longest path."""

from __future__ import annotations

import datetime as dt
import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker.insights.dependency_graph import fetch_dependency_chains
from chroniker.models import Job, JobDependency
from tests.support.factories import a_booked_job, a_dependency
from tests.support.run_history import ended

pytestmark = pytest.mark.django_db


def a_job_of(seconds: float | None, name: str, *waits_for: Job, **fields: Any) -> Job:
    job = a_booked_job(name=name, **fields)
    if seconds is not None:
        ended(job, 1, took=dt.timedelta(seconds=seconds))
    for dependee in waits_for:
        a_dependency(job, dependee, wait_for_success=True)
    return job


def printed(*words: str) -> str:
    out = io.StringIO()
    call_command("calculate_job_chain", *words, stdout=out)
    return out.getvalue()


def test_the_longest_path_is_the_critical_path() -> None:
    first = a_job_of(10, "first")
    short, long = a_job_of(5, "short", first), a_job_of(4000, "long", first)
    a_job_of(20, "last", short, long)
    lines = [line.split() for line in printed().splitlines()]
    assert lines[0] == ["job", "takes", "starts", "after", "waits", "for"]
    assert lines[1] == ["*", "first", "10.0", "s", "0.0", "s"]
    assert ["short", "5.0", "s", "10.0", "s", "first"] in lines
    assert ["*", "long", "1:06:40", "10.0", "s", "first"] in lines
    assert lines[4] == ["*", "last", "20.0", "s", "1:06:50", "long,", "short"]
    assert printed().endswith("Critical path: first → long → last\nTotal: 1:07:10\n")


def test_for_a_given_job_only_its_dependents_count() -> None:
    first = a_job_of(10, "first")
    middle = a_job_of(20, "middle", first)
    a_job_of(30, "last", middle)
    [chain] = fetch_dependency_chains([middle.pk])
    assert [link.job.name for link in chain.links] == ["middle", "last"] and chain.seconds == 50
    assert "Total: 60.0 s" not in printed("middle") and "Total: 50.0 s" in printed(str(middle.pk))


def test_independent_chains_are_listed_separately() -> None:
    a_job_of(1, "b", a_job_of(1, "a"))
    a_job_of(1, "d", a_job_of(1, "c"))
    a_job_of(1, "alone")
    assert [[job.name for job in chain.critical_path] for chain in fetch_dependency_chains()] == [
        ["a", "b"],
        ["c", "d"],
    ]


def test_a_job_that_never_succeeded_makes_the_total_a_lower_bound() -> None:
    a_job_of(None, "last", a_job_of(10, "first"))
    out = printed("first")
    assert "unknown" in out and "Total: 10.0 s or more" in out


def test_a_disabled_job_takes_no_time() -> None:
    a_job_of(10, "last", a_job_of(3000, "off", enabled=False))
    assert "off (disabled)" in printed() and "Total: 10.0 s\n" in printed()


def test_existing_cycles_are_named() -> None:
    one, other = a_job_of(1, "one"), a_job_of(1, "other")
    JobDependency.objects.bulk_create(
        [JobDependency(dependent=one, dependee=other), JobDependency(dependent=other, dependee=one)]
    )
    a_job_of(1, "behind", one)
    a_job_of(1, "beside", a_job_of(7, "before"), other)
    out = printed("before", "one")
    assert "Total: 7.0 s or more" not in out and "depend on each other in a circle" in out
    [chain] = fetch_dependency_chains([one.pk])
    assert {job.name for job in chain.circles} == {"one", "other", "behind", "beside"}
    assert (chain.links, chain.critical_path, chain.is_complete) == ([], [], False)


def test_json_is_one_object_for_each_chain() -> None:
    first = a_job_of(10, "first")
    last = a_job_of(None, "last", first)
    [answer] = [json.loads(line) for line in printed("--json").splitlines()]
    assert answer == {
        "jobs": [
            {
                "id": first.pk, "name": "first", "enabled": True, "seconds": 10.0, "starts_after": 0.0,
                "waits_for": [], "critical": True,
            },
            {
                "id": last.pk, "name": "last", "enabled": True, "seconds": None, "starts_after": 10.0,
                "waits_for": [first.pk], "critical": True,
            },
        ],
        "critical_path": [first.pk, last.pk],
        "seconds": 10.0,
        "complete": False,
        "circles": [],
    }  # fmt: skip


def test_missing_dependencies_and_unknown_jobs_are_reported() -> None:
    a_job_of(1, "alone")
    assert printed() == "No job depends on another.\n"
    assert "Total: 1.0 s" in printed("alone")
    with pytest.raises(CommandError, match="Did you mean “alone”"):
        printed("alnoe")


def test_the_command_needs_three_statements_for_any_number_of_jobs() -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            fetch_dependency_chains()
        return len(queries)

    job = a_job_of(1, "0", a_job_of(1, "start"))
    assert statements() == 3
    for number in range(1, 9):
        job = a_job_of(1, str(number), job)
    assert statements() == 3
