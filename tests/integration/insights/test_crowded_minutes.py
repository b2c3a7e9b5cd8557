"""Jobs that start in the same minute as the edited one, as they are shown before it is saved."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chroniker.clock import simulated_time
from chroniker.clock.database_clock import database_now
from chroniker.models import Group, Host, HostService, Job, JobState
from chroniker.models.calendar import Blackout, Calendar
from chroniker.schedule import jitter, next_instant_after
from tests.integration.insights.effects_of_edits import shown_for
from tests.support.factories import a_booked_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy")]

MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)


def test_jobs_of_the_same_minute_are_counted_by_their_schedules() -> None:
    job = a_booked_job(cron="*/10 * * * *")
    a_booked_job(cron="*/30 * * * *")
    a_booked_job(cron="0 * * * *")
    a_booked_job(cron="5 * * * *")
    a_booked_job(cron="0,10,20,30,40,50 * * * *", enabled=False)
    found = shown_for(job)
    counted = {instant.minute: number for instant, number in found.same_minute_job_counts.items()}
    assert counted == {0: 2, 10: 0, 20: 0, 30: 1, 40: 0, 50: 0}


def test_a_job_counts_that_starts_a_day_later_in_the_same_minute() -> None:
    """The last time that is shown is less than a day away, and the other job starts some seconds after that day."""
    now = dt.datetime(2026, 11, 30, 3, 30, 20, tzinfo=dt.UTC)
    with simulated_time.simulate_time():
        simulated_time.set_simulated_time(now)
        job = a_booked_job(cron="0 0 1 1 *")
        other = a_booked_job(cron="30 3 * * *", jitter_seconds=59)
        while jitter(other.pk, 59) < dt.timedelta(seconds=25):
            other = a_booked_job(cron="30 3 * * *", jitter_seconds=59)
        Job.objects.exclude(pk__in=[job.pk, other.pk]).update(enabled=False)
        tomorrow = dt.datetime(2026, 12, 1, 3, 30, tzinfo=dt.UTC)
        JobState.objects.filter(pk=other.pk).update(next_run=tomorrow + jitter(other.pk, 59))
        shown = shown_for(job, cron="30 3 * * *")
    assert next(iter(shown.same_minute_job_counts.values())) == 1


def test_a_group_beyond_its_limit_is_a_collision() -> None:
    group = Group.objects.create(name="imports", limit=2)
    job = a_booked_job(name="a", cron="0 * * * *", group=group)
    for name in ("b", "c"):
        other = a_booked_job(name=name, cron="*/5 * * * *", group=group)
        JobState.objects.filter(pk=other.pk).update(p50=90.0)
    a_booked_job(name="d", cron="*/5 * * * *")
    (pool, *_later) = shown_for(job).collisions
    collision = pool.collision
    assert (collision.names, collision.capacity) == (["a", "b", "c"], 2)
    assert collision.longest_wait == dt.timedelta(seconds=1)
    JobState.objects.filter(pk=job.pk).update(p50=120.0)
    assert shown_for(job).collisions[0].collision.longest_wait == dt.timedelta(seconds=90)
    group.limit = 3
    assert shown_for(job, group=group).collisions == []


CRONS = ["* * * * *", "*/5 * * * *", "*/7 2-4 * * *", "30 3 * * 1-5", "0 */6 * * *"]
a_neighbour = st.fixed_dictionaries(
    {
        "cron": st.sampled_from(CRONS),
        "is_closed": st.booleans(),
        "in_group": st.booleans(),
        "queue": st.sampled_from(["", "gpu"]),
        "jitter_seconds": st.sampled_from([0, 90]),
    }
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    neighbours=st.lists(a_neighbour, max_size=6),
    cron=st.sampled_from(CRONS[1:]),
    slots=st.integers(1, 4),
    limit=st.integers(1, 4),
)
def test_crowded_minutes_are_those_of_a_timeline_of_minutes(
    neighbours: list[dict[str, Any]], cron: str, slots: int, limit: int
) -> None:
    with transaction.atomic():
        now = database_now()
        closed = Calendar.objects.create(name="closed")
        pause = Blackout.objects.create(calendar=closed, name="x", starts_at=now + 2 * HOUR, ends_at=now + 9 * HOUR)
        group = Group.objects.create(name="g", limit=limit)
        host = Host.objects.create(name="h", last_seen=now)
        HostService.objects.create(
            host=host, executor="default", worker="w", queues=["gpu"], slots=slots, last_seen=now
        )
        job = a_booked_job(cron="0 0 1 1 *", group=group, queue="gpu")
        others = [
            a_booked_job(
                cron=each["cron"],
                calendar=closed if each["is_closed"] else None,
                group=group if each["in_group"] else None,
                queue=each["queue"],
                jitter_seconds=each["jitter_seconds"],
            )
            for each in neighbours
        ]
        shown = shown_for(job, cron=cron)
        transaction.set_rollback(True)
    expected = {}
    for instant, number in shown.same_minute_job_counts.items():
        at_once = [other for other in others if _starts_in(other, pause, instant)]
        assert number == len(at_once), instant
        expected[instant] = (
            sum(other.group_id == group.pk for other in at_once) + 1 > limit,
            sum(other.queue == "gpu" for other in at_once) + 1 > slots,
        )
    wanted = {(instant, True) for instant, (of_group, _of_queue) in expected.items() if of_group}
    wanted |= {(instant, False) for instant, (_of_group, of_queue) in expected.items() if of_queue}
    assert {(each.collision.start, bool(each.group)) for each in shown.collisions} == wanted


def _starts_in(job: Job, pause: Blackout, minute: dt.datetime) -> bool:
    """Whether the job starts in this minute: each minute before it is tried as its scheduled time."""
    delay = jitter(job.pk, job.jitter_seconds)
    for back in range(3):
        instant = minute - back * MINUTE
        due = next_instant_after(job.spec, instant - dt.timedelta(seconds=1)) == instant
        is_closed = job.calendar_id is not None and pause.starts_at <= instant < pause.ends_at
        if due and not is_closed and (instant + delay).replace(second=0, microsecond=0) == minute:
            return True
    return False
