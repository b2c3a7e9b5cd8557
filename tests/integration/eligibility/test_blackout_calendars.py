"""Blackout calendars: a scheduled time within a blackout of the job's calendar is recorded as skipped."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due
from chroniker.eligibility.claim_kinds import SCHEDULED
from chroniker.lifecycle import Outcome, claim_plan
from chroniker.models import Blackout, Calendar, Job, JobState, Run, Status
from chroniker.schedule import next_instant_after
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.support.admin_pages import open_form, url
from tests.support.factories import a_booked_job, a_due_job, started, state_of
from tests.support.statements import statements_of_a_tick

MINUTE = dt.timedelta(minutes=1)
#: A fixed time in the past, so that no minute ends during a test.
NOW = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0) - dt.timedelta(hours=1)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy")]


def closed(*spans: tuple[int, int], name: str = "move") -> Calendar:
    """A calendar with a blackout for each span: from minutes ago (included) to minutes ago (excluded)."""
    calendar = Calendar.objects.create(name=f"calendar {Calendar.objects.count()}")
    for begin, until in spans:
        Blackout.objects.create(
            calendar=calendar,
            name=name,
            starts_at=NOW - begin * MINUTE,
            ends_at=NOW - until * MINUTE,
        )
    return calendar


def ledger(job: Job) -> list[tuple[str, int, int]]:
    """The status, and the start and end of the range in minutes before now."""
    found = []
    for run in Run.objects.filter(job=job).order_by("token"):
        assert run.scheduled_for is not None and run.covered_until is not None
        found.append((run.status, (NOW - run.scheduled_for) // MINUTE, (NOW - run.covered_until) // MINUTE))
    return found


def assert_tiled(job: Job) -> None:
    ranges = list(Run.objects.filter(job=job).order_by("token").values_list("scheduled_for", "covered_until"))
    for (_first, until), (following, _until) in itertools.pairwise(ranges):
        assert until is not None and following == next_instant_after(job.spec, until)
    assert state_of(job).covered_until == ranges[-1][1]


def at(calendar: Calendar, *, minutes: int, **fields: Any) -> Job:
    """A job with this calendar that has been due for ``minutes``, after a tick in the current minute."""
    since = NOW - minutes * MINUTE - dt.timedelta(seconds=1)
    job = a_booked_job(since=since, calendar=calendar, **fields)
    tick(now=NOW + dt.timedelta(seconds=1))
    return job


def test_a_scheduled_time_in_a_blackout_is_skipped_in_the_moment_it_is_due() -> None:
    job = a_booked_job(since=NOW - dt.timedelta(seconds=1), calendar=closed((1, -1)))
    tick(now=NOW)
    assert ledger(job) == [(Status.SKIPPED, 0, 0)]


def end(job: Job) -> None:
    run = Run.objects.get(job=job, status=Status.CLAIMED)
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.SUCCEEDED))


def test_a_range_within_a_blackout_is_one_skipped_run() -> None:
    job = at(closed((60, -60)), minutes=9)
    run = Run.objects.get(job=job)
    assert (run.status, run.reason, run.attempt) == (Status.SKIPPED, "Blackout: move", 0)
    assert ledger(job) == [("SKIPPED", 9, 0)]
    state = state_of(job)
    assert state.next_instant == NOW + MINUTE == state.next_run
    assert_tiled(job)


def test_after_an_outage_blacked_out_times_are_skipped_and_open_times_run_once() -> None:
    job = at(closed((20, 6)), minutes=9)
    assert ledger(job) == [("SKIPPED", 9, 7), ("CLAIMED", 6, 0)]
    assert_tiled(job)


def test_blacked_out_times_between_open_times_are_covered() -> None:
    job = at(closed((6, 3)), minutes=9)
    assert ledger(job) == [("CLAIMED", 9, 0)]
    assert_tiled(job)


def test_blacked_out_times_at_the_end_are_skipped_after_the_run() -> None:
    job = at(closed((4, -60)), minutes=9)
    assert ledger(job) == [("CLAIMED", 9, 5)]
    end(job)
    tick(now=NOW + dt.timedelta(seconds=1))
    assert ledger(job) == [("SUCCEEDED", 9, 5), ("SKIPPED", 4, 0)]
    assert_tiled(job)


def test_blackouts_with_different_names_are_separate_runs() -> None:
    calendar = closed((20, 6), name="first")
    Blackout.objects.create(calendar=calendar, name="second", starts_at=NOW - 6 * MINUTE, ends_at=NOW - 3 * MINUTE)
    job = at(calendar, minutes=9)
    assert ledger(job) == [("SKIPPED", 9, 7), ("SKIPPED", 6, 4), ("CLAIMED", 3, 0)]
    assert [run.reason for run in Run.objects.filter(job=job).order_by("token")][:2] == [
        "Blackout: first",
        "Blackout: second",
    ]
    assert_tiled(job)


def test_a_blacked_out_time_that_is_not_ready_is_not_skipped() -> None:
    """Its dependee got an earlier scheduled time, by an edit, after the query for due jobs."""
    job = a_booked_job(since=NOW - dt.timedelta(seconds=1), calendar=closed((1, -1)))
    state = due.find_due_jobs(SCHEDULED, NOW, [job.pk]).get()
    plan = claim_plan.plan_scheduled_run(state, NOW, ready_until=NOW)
    assert plan.runs == [] and plan.state_after.next_instant == NOW


def test_misfire_grace_and_blackout_together() -> None:
    job = at(closed((4, -60)), minutes=9, misfire_grace_seconds=5 * 60 + 30)
    assert ledger(job) == [("SKIPPED", 9, 6), ("CLAIMED", 5, 5)]
    end(job)
    tick(now=NOW + dt.timedelta(seconds=1))
    assert ledger(job)[2:] == [("SKIPPED", 4, 0)]
    codes = Run.objects.filter(job=job).order_by("token").values_list("code", flat=True)
    assert list(codes) == ["MISSED", "", "BLACKOUT"]
    assert_tiled(job)


def test_blacked_out_times_do_not_replace_a_running_run() -> None:
    job = at(closed((3, -60)), minutes=5, overlap="REPLACE")
    run = Run.objects.get(job=job, status=Status.CLAIMED)
    started(run)
    tick(now=NOW + dt.timedelta(seconds=2))
    run.refresh_from_db()
    assert run.stop_requested_at is None


def test_a_skipped_overlap_names_the_blackout() -> None:
    job = at(closed((3, -60)), minutes=5, overlap="SKIP")
    tick(now=NOW + dt.timedelta(seconds=2))
    assert Run.objects.get(job=job, status=Status.SKIPPED).reason == "Blackout: move"
    assert_tiled(job)


def test_manual_runs_and_retries_ignore_blackouts() -> None:
    job = a_booked_job(calendar=closed((60, -600)))
    assert run_now(job, "a test").status == Status.CLAIMED


def test_a_deleted_blackout_skips_nothing() -> None:
    calendar = closed((60, -600))
    job = a_booked_job(calendar=calendar)
    Blackout.objects.all().delete()
    state = state_of(job)
    assert state.next_run is not None
    assert [run.job_id for run in tick(now=state.next_run).claimed] == [job.pk]


def statements(jobs: int, calendar: Calendar | None) -> int:
    for _each in range(jobs):
        a_due_job(calendar=calendar)
    return statements_of_a_tick(jobs)


def test_calendars_need_one_statement_for_each_batch() -> None:
    tick()  # the first one does the hourly work, too
    without = statements(3, None)
    assert statements(2, closed((600, 500))) == statements(9, closed((600, 500), (700, 650))) == without + 1


def test_a_repeated_blackout_ends_before_its_next_occurrence() -> None:
    calendar, start = Calendar.objects.create(name="x"), database_now()
    for repeats, days in {"WEEKLY": 8, "YEARLY": 400}.items():
        with pytest.raises(ValidationError, match="must end before it starts again"):
            Blackout(
                calendar=calendar, name="x", starts_at=start, ends_at=start + dt.timedelta(days=days), repeats=repeats
            ).full_clean()
    with pytest.raises(ValidationError, match="end of a blackout must be after its start"):
        Blackout(calendar=calendar, name="x", starts_at=start, ends_at=start).full_clean()


# -- the admin ---------------------------------------------------------------------------------------------------


def test_a_calendar_is_added_in_the_admin(admin: Client) -> None:
    fields = {
        "name": "holidays",
        "blackouts-TOTAL_FORMS": "1",
        "blackouts-INITIAL_FORMS": "0",
        "blackouts-0-name": "Christmas",
        "blackouts-0-starts_at_0": "2026-12-24",
        "blackouts-0-starts_at_1": "12:00",
        "blackouts-0-ends_at_0": "2026-12-27",
        "blackouts-0-ends_at_1": "00:00",
        "blackouts-0-repeats": "YEARLY",
    }
    assert admin.post(reverse("admin:chroniker_calendar_add"), fields).status_code == 302
    calendar, job = Calendar.objects.get(), a_booked_job()
    assert [each.repeats for each in calendar.blackouts.all()] == ["YEARLY"]
    assert admin.post(url(job), {**open_form(admin, job), "calendar": str(calendar.pk)}).status_code == 302
    job.refresh_from_db()
    assert job.calendar == calendar
    shown = admin.get("/admin/chroniker/calendar/").content.decode()
    assert "holidays" in shown
    refused = admin.post(reverse("admin:chroniker_calendar_delete", args=[calendar.pk]), {"post": "yes"})
    assert refused.status_code == 200 and Calendar.objects.exists()  # a job still uses it
    assert JobState.objects.filter(job=job).exists()
