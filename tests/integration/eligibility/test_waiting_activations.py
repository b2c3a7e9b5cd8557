"""Which waiting activations are read: of which targets, in which order, and how many at once."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import waiting_activations
from chroniker.models import Activation, CatchUp, Job, JobState
from tests.integration.lifecycle.triggered_jobs import a_target, activated, an_activation

pytestmark = pytest.mark.django_db

MINUTE = dt.timedelta(minutes=1)


def read(*jobs: Job) -> dict[int, list[Activation]]:
    states = JobState.objects.filter(pk__in=[job.pk for job in jobs]).select_related("job").order_by("pk")
    return waiting_activations.read_waiting_activations_by_job(states)


@pytest.mark.every_database
def test_the_oldest_activation_of_each_job_is_read_and_none_without_jobs() -> None:
    target, ended, without, other = (a_target() for _each in range(4))
    at = database_now()
    an_activation(target, made_at=at - MINUTE, ended_at=at)
    oldest = min((an_activation(target, made_at=at) for _each in range(3)), key=lambda made: made.pk)
    an_activation(target, made_at=at + MINUTE)
    an_activation(ended, ended_at=at)
    an_activation(other)
    found = waiting_activations.read_oldest_activation_by_job([target.pk, ended.pk, without.pk])
    assert found == {target.pk: oldest}
    with CaptureQueriesContext(connection) as statements:
        assert waiting_activations.read_oldest_activation_by_job([]) == {}
    assert len(statements) == 0


def test_the_waiting_activations_of_the_given_jobs_are_counted() -> None:
    several, one, without, other = (a_target() for _each in range(4))
    activated(several, 3)
    an_activation(several, ended_at=database_now())
    for job in (one, other):
        an_activation(job)
    found = waiting_activations.count_waiting_activations_by_job([several.pk, one.pk, without.pk])
    assert found == {several.pk: 3, one.pk: 1}


@pytest.mark.parametrize(("limit", "expected"), [(2, True), (3, True), (4, False)])
def test_a_further_activation_is_refused_once_the_limit_of_its_own_target_is_reached(
    monkeypatch: pytest.MonkeyPatch, limit: int, expected: bool
) -> None:
    target, other = a_target(), a_target()
    activated(target, 3)
    an_activation(target, ended_at=database_now())
    activated(other, 5)
    monkeypatch.setattr(waiting_activations, "MAX_WAITING_ACTIVATIONS", limit)
    rows = waiting_activations.row_if_too_many_activations_wait(target.pk)
    assert rows.count() == (1 if expected else 0)


def test_activations_that_may_be_late_are_those_whose_time_has_come_and_whose_target_was_booked() -> None:
    target, unbooked = a_target(), a_target()
    JobState.objects.filter(pk=unbooked.pk).delete()
    now = database_now()
    late = [an_activation(target, late_at=now - MINUTE), an_activation(target, late_at=now)]
    an_activation(target, late_at=now + MINUTE)
    an_activation(target)
    an_activation(unbooked, late_at=now - MINUTE)
    assert set(waiting_activations.possibly_late_activations(now)) == set(late)


@pytest.mark.every_database
def test_a_job_with_a_run_for_each_reads_some_of_its_activations_and_another_job_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    each, latest, other = (a_target(catch_up=policy) for policy in (CatchUp.EACH, CatchUp.LATEST, CatchUp.LATEST))
    made = {job: activated(job, 4) for job in (each, latest, other)}
    monkeypatch.setattr(waiting_activations, "MAX_ACTIVATIONS_READ_PER_JOB", 2)
    assert read(each, latest) == {each.pk: made[each][:2], latest.pk: made[latest]}
    assert read(latest) == {latest.pk: made[latest]}


@pytest.mark.parametrize(
    ("made", "limit", "expected"),
    [
        ((3, 2), 5, [3, 2]),
        ((3, 2), 4, [3]),
        ((3, 2), 3, [3]),
        ((3, 2), 2, [3]),
        ((1, 3), 2, [1]),
        ((1, 3), 4, [1, 3]),
        ((3, 1, 1), 3, [3]),
    ],
)
def test_a_target_whose_activations_do_not_fit_into_a_pass_is_left_for_the_next(
    monkeypatch: pytest.MonkeyPatch, made: tuple[int, ...], limit: int, expected: list[int]
) -> None:
    """The first one is always read, as far as the limit and one more."""
    targets = [a_target() for _each in made]
    for target, n in zip(targets, made, strict=True):
        activated(target, n)
    monkeypatch.setattr(waiting_activations, "MAX_ACTIVATIONS_READ_PER_PASS", limit)
    found = read(*targets)
    assert [len(found[job.pk]) for job in targets if job.pk in found] == expected
