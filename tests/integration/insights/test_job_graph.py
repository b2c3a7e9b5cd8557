"""The graph of dependencies: which jobs hold back others now, and which part of a large graph is read."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.insights import job_graph
from chroniker.insights.job_graph import GraphChoice, JobGraph
from chroniker.lifecycle import Outcome
from chroniker.models import Group, Job, JobDependency, JobState, Status
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, a_dependency, a_due_job, started

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _dummy(dummy: object) -> None:
    """Runs are claimed and dispatched, and nothing executes them."""


def read(**choice: Any) -> JobGraph:
    return job_graph.read_job_graph(database_now(), GraphChoice(**choice))


def names(graph: JobGraph) -> set[str]:
    return {node.name for node in graph.nodes.values()}


def run(job: Job, end: Status | None = None) -> None:
    """Run the job to this end; without one it stays running."""
    claimed = run_now(job, requested_by="a test")
    nonce = started(claimed)
    if end is not None:
        lifecycle.finish(claimed.pk, claimed.token, nonce, Outcome(end))


def test_a_running_job_holds_back_the_due_jobs_that_wait_for_its_end() -> None:
    load, other = a_booked_job(name="load", cron="0 0 1 1 *"), a_booked_job(name="other", cron="0 0 1 1 *")
    report, later = a_due_job(name="report"), a_booked_job(name="later", cron="0 0 1 1 *")
    for dependent in (report, later):
        a_dependency(dependent, load, wait_for_completion=True)
        a_dependency(dependent, other, wait_for_completion=True)
    run(load)
    graph = read()
    blocking = [(link.dependee_id, link.dependent_id) for link in graph.links if link.is_blocking_now]
    assert blocking == [(load.pk, report.pk)]
    assert graph.held_job_count == 1 and graph.held_counts_by_blocker == {load.pk: 1}
    assert graph.blocker_names == {load.pk: "load"}
    conditions = {node.name: node.condition for node in graph.nodes.values()}
    assert conditions == {"load": "running", "other": "scheduled", "report": "waiting", "later": "scheduled"}
    assert names(read(only_held=True)) == {"load", "report"}


@pytest.mark.parametrize("kind", ["forced", "retry"])
def test_a_forced_job_and_a_retry_are_held_back_too_but_not_by_the_turn_of_another_job(kind: str) -> None:
    load, report = a_due_job(name="load"), a_booked_job(name="report", cron="0 0 1 1 *")
    dependency = a_dependency(report, load, wait_for_next_run=True)
    if kind == "forced":
        Job.objects.filter(pk=report.pk).update(force_run=True)
    else:
        JobState.objects.filter(pk=report.pk).update(retry_at=database_now())
    assert read().held_job_count == 0
    JobDependency.objects.filter(pk=dependency.pk).update(wait_for_success=True)
    assert read().held_job_count == 1


def test_a_job_without_dependency_is_counted_and_not_drawn() -> None:
    a_booked_job(), a_booked_job()
    a_dependency(a_booked_job(name="report"), a_booked_job(name="load"), wait_for_success=True)
    graph = read()
    assert names(graph) == {"report", "load"} and (graph.dependent_job_count, graph.other_job_count) == (2, 2)


def test_a_node_has_the_end_of_its_latest_run_and_the_number_of_failures_in_a_row() -> None:
    job = a_booked_job(name="load", cron="0 0 1 1 *")
    a_dependency(a_booked_job(name="report", cron="0 0 1 1 *"), job, wait_for_success=True)
    run(job, Status.FAILED)
    JobState.objects.filter(pk=job.pk).update(failures=2)
    node = read().nodes[job.pk]
    assert (node.condition, node.failures) == ("failed", 2)
    run(job, Status.SUCCEEDED)
    JobState.objects.filter(pk=job.pk).update(recent_seconds=[7, 4.2])
    node = read().nodes[job.pk]
    assert (node.condition, node.last_success_seconds) == ("succeeded", 4.2)


def test_a_node_without_a_run_has_the_state_of_its_job() -> None:
    later = database_now() + dt.timedelta(days=1)
    changes: dict[str, dict[str, Any]] = {
        "disabled": {"last_status": Status.FAILED},
        "schedule_error": {"schedule_error": "“61” is not a minute.", "next_run": None},
        "retrying": {"retry_at": later, "last_status": Status.FAILED},
        "manual": {"next_run": None},
    }
    report = a_booked_job(name="report", cron="0 0 1 1 *")
    for name, fields in changes.items():
        job = a_booked_job(name=name, cron="0 0 1 1 *")
        JobState.objects.filter(pk=job.pk).update(**fields)
        a_dependency(report, job, wait_for_success=True)
    Job.objects.filter(name="disabled").update(enabled=False)
    found = {node.name: node.condition for node in read().nodes.values()}
    assert found == {**{name: name for name in changes}, "report": "scheduled"}


def test_a_group_is_shown_with_its_neighbours() -> None:
    group = Group.objects.create(name="nightly")
    first, second, third = a_booked_job(name="a"), a_booked_job(name="b", group=group), a_booked_job(name="c")
    last = a_booked_job(name="d")
    a_dependency(second, first), a_dependency(third, second), a_dependency(last, third)
    graph = read(group_id=group.pk)
    assert names(graph) == {"a", "b", "c"} and graph.groups == {group.pk: ("nightly", 3)}


def test_the_critical_path_is_the_longest_by_the_usual_durations() -> None:
    first, short, long, last = (a_booked_job(name=name) for name in ("first", "short", "long", "last"))
    for low, high in ((first, short), (first, long), (short, last), (long, last)):
        a_dependency(high, low, wait_for_success=True)
    for job, seconds in ((first, 5), (short, 1), (long, 60), (last, 2)):
        JobState.objects.filter(pk=job.pk).update(p50=seconds)
    (path,) = read().paths
    assert path.job_ids == [first.pk, long.pk, last.pk] and path.seconds == 67 and path.complete
    JobState.objects.filter(pk=long.pk).update(p50=None)
    assert not all(path.complete and long.pk in path.job_ids for path in read().paths)


def test_of_a_large_graph_one_connected_part_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_graph, "MAX_NODES", 4)
    jobs = [a_booked_job(name=f"job {number}") for number in range(10)]
    for number in (0, 1, 3, 4, 5, 6, 7):
        a_dependency(jobs[number + 1], jobs[number])
    graph = read()
    assert graph.is_partial and graph.dependent_job_count == 9 and len(graph.nodes) == 4
    near = read(job_id=jobs[4].pk)
    assert names(near) == {"job 3", "job 4", "job 5", "job 6"} and near.is_partial
    assert names(read(job_id=jobs[0].pk)) == {"job 0", "job 1", "job 2"}
    assert names(read(job_id=jobs[9].pk)) == set()


def test_above_the_limit_of_links_the_surroundings_of_a_job_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_graph, "MAX_LINKS", 3)
    jobs = [a_booked_job(name=f"job {number}") for number in range(8)]
    for number in range(7):
        a_dependency(jobs[number + 1], jobs[number])
    graph = read(job_id=jobs[6].pk)
    assert {"job 5", "job 6", "job 7"} <= names(graph) and graph.is_partial


def test_five_statements_read_the_graph_however_many_jobs() -> None:
    def statements() -> int:
        now = database_now()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            job_graph.read_job_graph(now, GraphChoice())
        return len(queries)

    jobs = [a_due_job(name=f"job {number}") for number in range(3)]
    a_dependency(jobs[1], jobs[0], wait_for_success=True), a_dependency(jobs[2], jobs[1], wait_for_success=True)
    before = statements()
    more = [a_due_job() for _ in range(20)]
    for low, high in itertools.pairwise(more):
        a_dependency(high, low, wait_for_success=True)
    assert before == statements() == 5


def test_a_cycle_that_two_saves_at_once_have_made_is_read() -> None:
    one, other = a_due_job(name="one"), a_due_job(name="other")
    a_dependency(one, other, wait_for_success=True), a_dependency(other, one, wait_for_success=True)
    graph = read()
    assert len(graph.links) == 2 and graph.held_job_count == 2 and graph.paths == []
