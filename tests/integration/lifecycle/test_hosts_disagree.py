"""Clocks, time zone databases and errors differ between hosts. This must not reschedule or suspend a job."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction
from django.test import override_settings
from django.utils import timezone

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due
from chroniker.lifecycle import planned_rows
from chroniker.lifecycle.transactions import transactional
from chroniker.models import Job, JobState, Run
from chroniker.schedule import zones
from chroniker.scheduler.tick import tick
from tests.support.factories import a_booked_job, a_due_job, a_job, state_of

HOUR = dt.timedelta(hours=1)


class SlowClock(dt.datetime):
    """The clock of a web host that is an hour behind."""

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
        return dt.datetime.now(tz) - HOUR


@pytest.mark.django_db
def test_the_time_of_an_edit_comes_from_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "datetime", SlowClock)
    now = database_now() - dt.timedelta(seconds=1)
    saved, updated, several = a_job(), a_booked_job(), a_booked_job()
    Job.objects.filter(pk=updated.pk).update(cron="*/5 * * * *")
    several.cron = "*/5 * * * *"
    Job.objects.bulk_update([several], ["cron"])
    (made,) = Job.objects.bulk_create([Job(name="made in bulk", command="noop", cron="* * * * *")])
    for job in (saved, updated, several, Job.objects.get(name=made.name)):
        stored = Job.objects.values_list("edited_at", flat=True).get(pk=job.pk)
        assert stored is not None
        assert stored >= now
        assert job is updated or job.edited_at == stored
    saved.save(update_fields=["cron"])
    assert saved.edited_at is not None
    assert tick().claimed == []


@pytest.fixture
def without_the_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """This host's time zone database has no US/Pacific."""
    known = ZoneInfo

    def opened(name: str) -> ZoneInfo:
        if name == "US/Pacific":
            raise LookupError(name)
        return known(name)

    zones.zone.cache_clear()
    monkeypatch.setattr("chroniker.schedule.zones.zoneinfo.ZoneInfo", opened)


@pytest.mark.django_db
def test_a_host_without_the_time_zone_of_a_job_leaves_it_to_other_hosts(without_the_zone: None) -> None:
    job = a_due_job()
    before = state_of(job)
    elsewhere = job.spec.__class__(cron="* * * * *", frequency="CRON", timezone="US/Pacific")
    Job.objects.filter(pk=job.pk).update(timezone="US/Pacific")
    Job.objects.filter(pk=job.pk).update(edited_at=None)  # it was booked by a host that knows the zone
    JobState.objects.filter(pk=job.pk).update(booked_fingerprint=elsewhere.fingerprint())
    assert tick().claimed == []
    after = state_of(job)
    assert (after.schedule_error, after.next_run) == ("", before.next_run)


@pytest.mark.django_db
def test_a_host_that_cannot_book_an_edit_leaves_it_to_other_hosts(without_the_zone: None) -> None:
    job = a_due_job()
    Job.objects.filter(pk=job.pk).update(timezone="US/Pacific")
    with override_settings(CHRONIKER_HOSTNAME="web1"):
        for _each in range(2):
            assert tick().claimed == []
    job.refresh_from_db()
    state = state_of(job)
    assert job.edited_at is not None
    assert state.schedule_error.startswith("web1: ")
    assert state.next_instant is not None
    assert not Run.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", [-HOUR, HOUR])
def test_newer_time_zone_rules_rebook_the_jobs_of_the_zone(wrong: dt.timedelta) -> None:
    """They were booked an hour too early or too late, by outdated rules."""
    job = a_booked_job(cron="0 9 * * *", timezone="Asia/Almaty")
    state = state_of(job)
    right = state.next_instant
    assert right is not None
    assert state.booked_zone_rules == zones.zone_rules_version() != ""
    old = {"next_instant": right + wrong, "next_run": right + wrong, "booked_zone_rules": "2023c"}
    JobState.objects.filter(pk=job.pk).update(**old)
    assert tick(now=right - HOUR).claimed == []
    (run,) = tick(now=right).claimed
    assert run.scheduled_for == right


@pytest.mark.django_db
def test_older_time_zone_rules_do_not_rebook() -> None:
    job = a_booked_job(cron="0 9 * * *", timezone="Asia/Almaty")
    JobState.objects.filter(pk=job.pk).update(booked_zone_rules="2999a")
    tick()
    assert state_of(job).booked_zone_rules == "2999a"


@pytest.mark.django_db
def test_what_a_host_with_older_rules_claims_is_booked_again_by_one_with_newer_rules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its claim books the next instant by its own rules."""
    job = a_booked_job(cron="0 9 * * *", timezone="Asia/Almaty")
    right = state_of(job).next_instant
    assert right is not None
    for module in (planned_rows, due):
        monkeypatch.setattr(module, "zone_rules_version", lambda: "2023c")
    (run,) = tick(now=right).claimed
    assert state_of(job).booked_zone_rules == "2023c"
    wrong = {"next_instant": right + HOUR, "next_run": right + HOUR}  # as the older rules have it
    JobState.objects.filter(pk=job.pk).update(**wrong)
    monkeypatch.undo()
    assert tick(now=right + HOUR).claimed == []
    assert state_of(job).next_instant == right + 24 * HOUR
    assert run.scheduled_for == right


@pytest.mark.django_db(transaction=True)
@pytest.mark.every_database
@pytest.mark.database("postgres")  # the others have no such limit for one transaction
def test_postgresql_ends_a_hanging_transaction() -> None:
    """The limit applies to the transaction only, not to the next user of a pooled connection."""

    def limit() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('idle_in_transaction_session_timeout')")
            return str(cursor.fetchone()[0])

    before = limit()
    with override_settings(CHRONIKER_LOCK_TIMEOUT=30):
        assert transactional(limit)() == "30s"
        with transaction.atomic():
            assert transactional(limit)() == before, "the transaction of the caller has the caller's limit"
    assert limit() == before
