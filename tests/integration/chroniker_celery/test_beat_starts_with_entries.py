"""The entries of ``beat_schedule`` when a beat starts: Celery's own, and those of Celery's file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.beat import PersistentScheduler
from django.db import ProgrammingError

from chroniker.clock.database_clock import database_now
from chroniker_celery import beat_entries, beat_sender
from chroniker_celery.beat import Scheduler
from chroniker_celery.beat_sender import EntrySender
from chroniker_celery.models import BeatEntry
from tests.integration.chroniker_celery.beats import DAY, HOUR, ABeat, entry

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]


def test_celerys_default_entries_are_there() -> None:
    beat = ABeat({"hourly": entry(HOUR)}, expires=3600)
    assert set(beat.schedule) == {"hourly", "celery.backend_cleanup"}


def test_a_beat_continues_from_the_file_of_celerys_own_beat(tmp_path: Path) -> None:
    path, entries = str(tmp_path / "celerybeat-schedule"), {"daily": entry(DAY), "hourly": entry(HOUR)}
    app = Celery("entries", broker="memory://", set_as_current=False)
    app.conf.update(beat_schedule=entries, timezone="UTC")
    theirs = PersistentScheduler(app, schedule_filename=path)
    theirs.schedule["daily"].last_run_at = database_now() - 25 * HOUR
    theirs.close()
    assert ABeat(entries, schedule_filename=path).send_what_is_due() == ["shop.report"]
    assert ABeat(entries, schedule_filename=path).send_what_is_due() == []


def test_without_a_readable_file_an_entry_counts_from_now(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "broken").write_bytes(b"no database")
    assert ABeat({"daily": entry(DAY)}, schedule_filename=str(tmp_path / "absent")).send_what_is_due() == []
    assert not caplog.records
    BeatEntry.objects.all().delete()
    assert ABeat({"daily": entry(DAY)}, schedule_filename=str(tmp_path / "broken")).send_what_is_due() == []
    assert "cannot be read" in caplog.text


def test_a_missing_table_is_logged_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def missing(*_: Any) -> None:
        raise ProgrammingError("no such table: chroniker_celery_beatentry")

    monkeypatch.setattr(beat_entries, "read_or_create_entry_rows", missing)
    beat = ABeat({"daily": entry(DAY)})
    assert [beat._sender.send_next() for _ in range(3)] == [beat_sender.DATABASE_ERROR_WAIT_SECONDS] * 3
    assert caplog.text.count("wait for the database") == 1
    monkeypatch.undo()
    assert beat.send_what_is_due() == []


def test_nothing_is_read_while_nothing_is_due(django_assert_num_queries: Callable[[int], Any]) -> None:
    beat = ABeat({"daily": entry(DAY), "hourly": entry(HOUR)})
    beat.send_what_is_due()
    with django_assert_num_queries(0):
        assert beat._sender.send_next() > 0
        assert EntrySender(Scheduler(beat.app, lazy=True), "").send_next() > 0
