"""The entries of ``beat_schedule``: each of their scheduled times is sent once, whatever the number of beats."""

from __future__ import annotations

import datetime as dt
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import redis
import time_machine
from celery.schedules import crontab, schedule
from django.test import Client
from django.urls import reverse
from kombu.exceptions import EncodeError
from kombu.exceptions import OperationalError as BrokerDown

from chroniker.clock.database_clock import database_now
from chroniker_celery import beat_entries
from chroniker_celery.beat_entries import BEAT_ENTRY_ORIGIN_PREFIX
from chroniker_celery.beat_sender import RETRY_SECONDS
from chroniker_celery.models import BeatEntry, key_of_entry
from tests.integration.chroniker_celery.beats import DAY, HOUR, SECOND, ABeat, entry
from tests.support.brokers import Broker
from tests.support.celery_processes import CeleryBeat
from tests.support.factories import a_job
from tests.support.processes import wait_until, with_settings

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]


def served(name: str, ago: dt.timedelta) -> None:
    """The entry was sent so long ago."""
    BeatEntry.objects.filter(name=name).update(served_until=database_now() - ago)


def test_a_new_entry_is_not_due_before_its_interval_has_passed() -> None:
    beat = ABeat({"daily": entry(DAY)})
    assert beat.send_what_is_due() == []
    row = BeatEntry.objects.get(name="daily")
    assert (row.task, row.schedule, row.sent_at) == ("shop.report", "<freq: 1.00 day>", None)


@pytest.mark.parametrize("every", [DAY, crontab(minute=0, hour=0)], ids=["interval", "crontab"])
def test_a_beat_that_was_restarted_sends_what_became_due_meanwhile_once(every: Any) -> None:
    entries = {"daily": entry(every)}
    assert ABeat(entries).send_what_is_due() == []
    served("daily", 3 * DAY)
    assert ABeat(entries).send_what_is_due() == ["shop.report"]
    assert ABeat(entries).send_what_is_due() == []


def test_an_interval_keeps_its_rhythm() -> None:
    beat = ABeat({"hourly": entry(HOUR)})
    beat.send_what_is_due()
    served("hourly", 90 * dt.timedelta(minutes=1))
    before = BeatEntry.objects.get(name="hourly").served_until
    assert ABeat({"hourly": entry(HOUR)}).send_what_is_due() == ["shop.report"]
    row = BeatEntry.objects.get(name="hourly")
    assert row.served_until == before + HOUR
    assert row.sent_at is not None and row.sent_at > row.served_until


def test_of_two_beats_that_find_an_entry_due_one_sends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {"hourly": entry(HOUR)}
    first, second = ABeat(entries), ABeat(entries)
    first.send_what_is_due()
    served("hourly", 2 * HOUR)
    take, sent_by_second = beat_entries.claim_scheduled_times, []

    def take_after_the_other(*args: Any) -> bool:
        """The second beat sends after the first has read the row and before it writes."""
        monkeypatch.setattr(beat_entries, "claim_scheduled_times", take)
        sent_by_second.extend(second.send_what_is_due())
        return take(*args)

    monkeypatch.setattr(beat_entries, "claim_scheduled_times", take_after_the_other)
    first._sender._wake_at.clear()
    assert first.send_what_is_due() == []
    assert sent_by_second == ["shop.report"]


def test_a_wrong_clock_of_the_host_makes_no_entry_due() -> None:
    entries = {"hourly": entry(HOUR), "crontab": entry(crontab(minute=0))}
    with time_machine.travel(dt.datetime.now(dt.UTC) + 36 * HOUR):
        beat = ABeat(entries)
        assert beat.send_what_is_due() == []
        served("hourly", 2 * HOUR)
        assert ABeat(entries).send_what_is_due() == ["shop.report"]
        assert ABeat(entries).send_what_is_due() == []


def test_an_entry_that_the_broker_refuses_is_due_again_for_any_beat(caplog: pytest.LogCaptureFixture) -> None:
    entries = {"hourly": entry(HOUR)}
    broken, other = ABeat(entries, fails_with=BrokerDown("refused")), ABeat(entries)
    broken.send_what_is_due()
    served("hourly", 2 * HOUR)
    broken._sender._wake_at.clear()
    before = BeatEntry.objects.values().get()
    assert broken.send_what_is_due() == []
    assert BeatEntry.objects.values().get() == before
    assert "The entry 'hourly' of beat_schedule was not sent" in caplog.text
    assert 0 < broken._sender.send_next() <= RETRY_SECONDS
    assert other.send_what_is_due() == ["shop.report"]


def test_a_beat_that_is_told_to_end_sends_the_entry_that_it_has_taken() -> None:
    """Celery's beat ends where it is when SIGTERM arrives, also between the UPDATE and the message."""
    beat = ABeat({"hourly": entry(HOUR)})
    beat.send_what_is_due()
    served("hourly", 2 * HOUR)
    beat._sender._wake_at.clear()
    beat.signal_before_sending = signal.SIGTERM
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit())
    try:
        with pytest.raises(SystemExit):
            beat.send_what_is_due()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert beat.sent == ["shop.report"]


def test_an_entry_that_cannot_be_sent_at_all_waits_for_its_next_time(caplog: pytest.LogCaptureFixture) -> None:
    beat = ABeat({"hourly": entry(HOUR)}, fails_with=EncodeError("a set is not JSON"))
    beat.send_what_is_due()
    served("hourly", 2 * HOUR)
    beat._sender._wake_at.clear()
    assert beat.send_what_is_due() == []
    assert "a set is not JSON" in caplog.text
    assert database_now() - BeatEntry.objects.get().served_until < HOUR


def test_an_entry_that_is_a_job_is_not_sent_and_this_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    entries = {"hourly": entry(HOUR), "other": entry(HOUR, "shop.other")}
    a_job(name="anything", origin=f"{BEAT_ENTRY_ORIGIN_PREFIX}hourly", enabled=False)
    beat = ABeat(entries)
    beat.send_what_is_due()
    for _ in range(2):
        served("hourly", 2 * HOUR)
        served("other", 2 * HOUR)
        beat._sender._wake_at.clear()
        assert beat.send_what_is_due() == ["shop.other"]
    assert caplog.text.count("'hourly' of beat_schedule is a job now, and is not sent") == 1
    assert BeatEntry.objects.get(name="hourly").sent_at is None


class Broken(schedule):
    def is_due(self, last_run_at: dt.datetime) -> Any:
        raise LookupError("no such calendar")


def test_an_entry_whose_schedule_fails_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    entries = {"broken": entry(Broken(SECOND)), "hourly": entry(HOUR)}
    ABeat(entries).send_what_is_due()
    served("hourly", 2 * HOUR)
    assert ABeat(entries).send_what_is_due() == ["shop.report"]
    assert "The next time of the entry 'broken' cannot be computed" in caplog.text


def test_an_entry_whose_row_was_deleted_counts_from_now() -> None:
    beat = ABeat({"hourly": entry(HOUR)})
    beat.send_what_is_due()
    served("hourly", 2 * HOUR)
    beat._sender._wake_at.clear()
    beat._sender._read_rows(beat.schedule)
    BeatEntry.objects.all().delete()
    assert beat.send_what_is_due() == []
    assert BeatEntry.objects.get().name == "hourly"


def test_a_changed_schedule_counts_from_what_was_sent() -> None:
    ABeat({"report": entry(DAY)}).send_what_is_due()
    served("report", 2 * HOUR)
    assert ABeat({"report": entry(DAY)}).send_what_is_due() == []
    assert ABeat({"report": entry(HOUR)}).send_what_is_due() == ["shop.report"]
    assert BeatEntry.objects.get().schedule == "<freq: 1.00 hour>"


def test_names_that_differ_only_by_case_or_are_long_are_different_entries() -> None:
    names = ("report", "Report", "r" * 300 + "a", "r" * 300 + "b")
    ABeat({name: entry(HOUR) for name in names}).send_what_is_due()
    assert BeatEntry.objects.count() == 4


def test_the_admin_lists_the_entries_and_deletes_old_ones(admin_client: Client) -> None:
    url = reverse("admin:chroniker_celery_beatentry_changelist")
    assert "No entries. Beat lists the entries" in admin_client.get(url).content.decode()
    ABeat({"hourly": entry(HOUR), "old": entry(DAY)}).send_what_is_due()
    served("hourly", 2 * HOUR)
    ABeat({"hourly": entry(HOUR)}).send_what_is_due()
    page = admin_client.get(url).content.decode()
    assert "shop.report" in page and "&lt;freq: 1.00 hour&gt;" in page
    assert admin_client.get(reverse("admin:chroniker_celery_beatentry_add")).status_code == 403
    old = BeatEntry.objects.get(name="old")
    admin_client.post(reverse("admin:chroniker_celery_beatentry_delete", args=[old.pk]), {"post": "yes"})
    assert [row.name for row in BeatEntry.objects.all()] == ["hourly"]


def test_two_beats_send_each_time_of_an_interval_once(
    redis_env: dict[str, str], redis_broker: Broker, tmp_path: Path
) -> None:
    env = with_settings(
        redis_env,
        CELERY_BEAT_SCHEDULE={"often": entry(1.0, "somewhere.else")},
        CHRONIKER_EXECUTORS={"default": {"BACKEND": "chroniker.executors.dummy.DummyExecutor"}},
    )
    client = redis.Redis.from_url(redis_broker.url)
    (tmp_path / "second").mkdir()
    start = database_now()
    BeatEntry.objects.create(key=key_of_entry("often"), name="often", served_until=start)
    with CeleryBeat(env, tmp_path) as first, CeleryBeat(env, tmp_path / "second") as second:
        wait_until(lambda: client.llen("celery") >= 6, what="sent again and again")
        for beat in (first, second):
            beat.popen.terminate()  # type: ignore[union-attr]
            assert beat.wait() == 0
            assert "Traceback" not in beat.log
    times = (BeatEntry.objects.get(name="often").served_until - start) // SECOND
    sent = client.llen("celery")
    client.close()
    assert first.log.count("Sending often") + second.log.count("Sending often") == sent
    assert sent <= times, "a time was sent twice"
