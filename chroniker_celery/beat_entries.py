"""Which beat sends an entry of ``beat_schedule``: a conditional UPDATE decides, by the database's clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, TypeAlias

from celery.schedules import schedule
from django.db import router

from chroniker.clock.database_clock import database_now
from chroniker.models import Job
from chroniker.process.kernel import host_clock
from chroniker_celery.beat_file import read_last_sent_times
from chroniker_celery.models import BeatEntry, key_of_entry

#: ``celery.beat.ScheduleEntry``; its stubs are incomplete.
BeatScheduleEntry: TypeAlias = Any

#: Prefix of a job's origin, before the name of the entry from which the job was made.
BEAT_ENTRY_ORIGIN_PREFIX = "beat_schedule:"


def database_of_entries() -> str:
    """The database of the table, whose clock decides when an entry is due."""
    return router.db_for_write(BeatEntry)


def entry_has_job(name: str) -> bool:
    """Whether a job was made from this entry. The job may be disabled."""
    return Job.objects.filter(origin=f"{BEAT_ENTRY_ORIGIN_PREFIX}{name}").exists()


class DatabaseClock:
    """The database's clock. Between two readings this process's monotonic clock counts, so a wrong wall clock of this
    host makes no entry due."""

    def __init__(self) -> None:
        self._moment = dt.datetime.now(dt.UTC)
        self._read_at = host_clock.monotonic()

    def read(self) -> dt.datetime:
        self._moment = database_now(database_of_entries())
        self._read_at = host_clock.monotonic()
        return self._moment

    def now(self) -> dt.datetime:
        """The present time, without a statement. ``read`` must have succeeded before."""
        return self._moment + dt.timedelta(seconds=host_clock.monotonic() - self._read_at)


def read_or_create_entry_rows(
    entries: Iterable[BeatScheduleEntry], now: dt.datetime, schedule_file: str
) -> dict[str, BeatEntry]:
    """The rows of these entries by their keys; adds those that are missing.

    A new row counts from the time at which Celery's own beat sent the entry, according to its ``schedule_file``, or
    from now.
    """
    wanted = {key_of_entry(entry.name): entry for entry in entries}
    here = BeatEntry.objects.using(database_of_entries()).in_bulk(field_name="key")
    if wanted.keys() - here.keys():
        sent = read_last_sent_times(schedule_file)
        missing = [
            BeatEntry(key=key, served_until=min(sent.get(entry.name, now), now), **_shown_columns(entry))
            for key, entry in wanted.items()
            if key not in here
        ]
        # Another beat may add them at the same time.
        BeatEntry.objects.using(database_of_entries()).bulk_create(missing, batch_size=100, ignore_conflicts=True)
        here = BeatEntry.objects.using(database_of_entries()).in_bulk(field_name="key")
    rows = {key: here[key] for key in wanted}
    _update_shown_columns([(rows[key], _shown_columns(entry)) for key, entry in wanted.items()])
    return rows


def _update_shown_columns(pairs: Iterable[tuple[BeatEntry, dict[str, str]]]) -> None:
    """Update the columns that only pages show: they follow the beat that started last."""
    changed = []
    for row, shown in pairs:
        if (row.task, row.schedule) != (shown["task"], shown["schedule"]):
            row.task, row.schedule = shown["task"], shown["schedule"]
            changed.append(row)
    if changed:
        BeatEntry.objects.using(database_of_entries()).bulk_update(changed, ["task", "schedule"], batch_size=100)


def read_served_until_by_entry(names: Iterable[str]) -> dict[str, dt.datetime]:
    """The time until which each of these entries was sent by a beat of this project."""
    keys = {key_of_entry(name): name for name in names}
    rows = BeatEntry.objects.using(database_of_entries()).in_bulk(field_name="key")
    return {keys[key]: row.served_until for key, row in rows.items() if key in keys}


def _shown_columns(entry: BeatScheduleEntry) -> dict[str, str]:
    texts = {"name": entry.name, "task": entry.task, "schedule": entry.schedule}
    return {field: str(text)[:200] for field, text in texts.items()}


def read_or_create_entry_row(entry: BeatScheduleEntry, now: dt.datetime) -> BeatEntry:
    """The entry's row as it is now. A row that somebody deleted is added again, and counts from ``now``."""
    row, _created = BeatEntry.objects.using(database_of_entries()).get_or_create(
        key=key_of_entry(entry.name), defaults={"served_until": now, **_shown_columns(entry)}
    )
    return row


def claim_scheduled_times(row: BeatEntry, until: dt.datetime, sent_at: dt.datetime | None) -> bool:
    """Account for the entry's scheduled times until ``until``. False: another beat did it, and sends the entry."""
    mine = BeatEntry.objects.using(database_of_entries()).filter(pk=row.pk, served_until=row.served_until)
    return mine.update(served_until=until, sent_at=sent_at) == 1


def undo_claim(row: BeatEntry, until: dt.datetime) -> bool:
    """Undo ``claim_scheduled_times``: the broker refused the message, and the entry is due again for any beat."""
    mine = BeatEntry.objects.using(database_of_entries()).filter(pk=row.pk, served_until=until)
    return mine.update(served_until=row.served_until, sent_at=row.sent_at) == 1


def compute_served_until(entry: BeatScheduleEntry, last: dt.datetime, now: dt.datetime) -> dt.datetime:
    """The time up to which an entry is accounted for, when it is due and sent at ``now``.

    An interval keeps its rhythm from ``last``, however late each message is. Several missed times are sent once.
    """
    has_rhythm = type(entry.schedule) is schedule and not entry.schedule.relative
    every: dt.timedelta | None = entry.schedule.run_every if has_rhythm else None
    if not every or now - last < every:
        return now
    missed: int = (now - last) // every
    return last + missed * every
