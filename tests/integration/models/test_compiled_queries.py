"""``compiled.fetch_rows`` returns the rows of the queryset, however often and with whatever settings it is compiled."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import TruncDay
from django.test import override_settings

from chroniker.clock import simulated_time
from chroniker.clock.database_clock import StatementNowPlus
from chroniker.conf import settings, settings_state
from chroniker.models import Group, Job, JobState, Run, compiled
from chroniker.models.compiled import ColumnInIds, fetch_models, fetch_rows
from chroniker.scheduler.tick import tick
from tests.support.factories import a_due_job, a_job

pytestmark = [pytest.mark.django_db, pytest.mark.every_database]


def names(prefix: str, ids: Collection[int]) -> QuerySet[Job, Any]:
    return (
        Job.objects.filter(ColumnInIds("pk", ids), name__startswith=prefix).order_by("name").values_list("name", "args")
    )


def for_this_host(ids: Collection[int]) -> QuerySet[Job, Any]:
    return Job.objects.filter(ColumnInIds("pk", ids), hostname=settings.hostname).values_list("name")


@pytest.mark.parametrize("enabled", [True, False])
def test_each_use_has_its_own_ids_and_inputs(enabled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "USE_COMPILED_QUERIES", enabled)
    jobs = [a_job(name=name, args="--a") for name in ("day 1", "day 2", "night 1")]
    ids = [job.pk for job in jobs]
    assert list(map(tuple, fetch_rows(names, "day", ids=ids))) == [("day 1", "--a"), ("day 2", "--a")]
    assert list(map(tuple, fetch_rows(names, "day", ids=ids[1:]))) == [("day 2", "--a")]
    assert list(map(tuple, fetch_rows(names, "night", ids=ids))) == [("night 1", "--a")]
    assert fetch_rows(names, "day", ids=[]) == []


def test_a_change_of_settings_is_followed_at_once() -> None:
    job = a_job(name="there", hostname="there")
    assert fetch_rows(for_this_host, ids=[job.pk]) == []
    with override_settings(CHRONIKER_HOSTNAME="there"):
        assert [tuple(row) for row in fetch_rows(for_this_host, ids=[job.pk])] == [("there",)]
    assert fetch_rows(for_this_host, ids=[job.pk]) == []


def test_the_state_of_the_settings_depends_on_their_values_only() -> None:
    before = settings_state()
    with override_settings(CHRONIKER_LOCK_TIMEOUT=77):
        changed = settings_state()
    with override_settings(SECRET_KEY=""):  # Django raises an error for each use of an empty one
        assert settings_state() == before != changed
    with override_settings(CHRONIKER_LOCK_TIMEOUT=77):
        assert settings_state() == changed


def a_moment() -> QuerySet[Job, Any]:
    return Job.objects.annotate(now=StatementNowPlus()).values_list("now")


@pytest.mark.parametrize("enabled", [True, False])
def test_the_simulated_time_is_that_of_each_use(enabled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "USE_COMPILED_QUERIES", enabled)
    a_job()
    before = fetch_rows(a_moment)[0][0]
    with simulated_time.simulate_time():
        for day in (1, 2):
            moment = dt.datetime(2024, 2, day, 12, 30, tzinfo=dt.UTC)
            simulated_time.set_simulated_time(moment)
            assert fetch_rows(a_moment)[0][0] == moment
            assert next(iter(a_moment()))[0] == moment
    assert fetch_rows(a_moment)[0][0] >= before


def a_run(run: UUID, since: dt.datetime) -> Any:
    rows = Run.objects.filter(pk=run, claimed_at__gte=since).select_related("job__group")
    return rows.annotate(day=TruncDay("claimed_at"), is_due=Exists(JobState.objects.filter(pk=OuterRef("job"))))


@pytest.mark.parametrize("enabled", [True, False])
def test_models_are_those_of_the_queryset(enabled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "USE_COMPILED_QUERIES", enabled)
    for group in (None, Group.objects.create(name="mail")):
        a_due_job(group=group)
        (run,) = tick().claimed
        since = run.claimed_at
        (found,) = fetch_models(a_run, run=run.pk, since=since)
        (expected,) = a_run(run.pk, since)
        assert found.__dict__.keys() == expected.__dict__.keys()
        assert found.pk == run.pk and found.job.group == group and found.is_due is True
        assert found.day == expected.day
        assert found._state.fields_cache["job"].__dict__.keys() == expected._state.fields_cache["job"].__dict__.keys()
        assert fetch_models(a_run, run=run.pk, since=since + dt.timedelta(microseconds=1)) == []
        assert fetch_models(a_run, run=uuid4(), since=since) == []


def times_of_jobs() -> QuerySet[JobState, Any]:
    return JobState.objects.order_by("pk").values_list("next_run", "next_instant", "retry_at")


@pytest.fixture(params=[None, "Asia/Kathmandu"])
def zone_of_the_connection(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if connection.vendor == "postgresql":
        monkeypatch.setitem(connection.settings_dict, "TIME_ZONE", request.param)
    _follow_zone()
    yield
    monkeypatch.undo()
    _follow_zone()


def _follow_zone() -> None:
    for name in ("timezone", "timezone_name"):
        connection.__dict__.pop(name, None)
    if connection.vendor == "postgresql":
        connection.ensure_timezone()


@pytest.mark.usefixtures("zone_of_the_connection")
def test_times_are_those_of_django() -> None:
    for moment in (dt.datetime(1969, 12, 31, 23, 59, 59, 1, dt.UTC), dt.datetime(8999, 6, 1, 12, tzinfo=dt.UTC)):
        JobState.objects.filter(pk=a_due_job().pk).update(next_instant=moment)
    found, expected = fetch_rows(times_of_jobs), list(times_of_jobs())
    assert list(map(tuple, found)) == expected
    assert [list(map(str, row)) for row in found] == [list(map(str, row)) for row in expected]
