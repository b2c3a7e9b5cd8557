"""Sends the entries of ``beat_schedule`` from one beat of the fleet."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

from celery.beat import Scheduler
from django.db import Error
from kombu.exceptions import OperationalError

from chroniker.escaping import to_one_line
from chroniker.process.deferred_signals import deferred_signals
from chroniker.process.kernel import host_clock
from chroniker.scheduler.database_errors import explain_database_error
from chroniker.scheduler.kept_connection import PersistentConnection
from chroniker_celery import beat_entries
from chroniker_celery.beat_entries import BeatScheduleEntry, DatabaseClock
from chroniker_celery.models import BeatEntry, key_of_entry

logger = logging.getLogger(__name__)

#: Seconds until the next try for an entry that could not be sent, or whose next time could not be computed.
RETRY_SECONDS = 5.0
#: Seconds until the next try while the database cannot be used.
DATABASE_ERROR_WAIT_SECONDS = 1.0
#: A scheduler without entries looks for new ones after these seconds.
NO_ENTRIES_WAIT_SECONDS = 60.0
MIN_WAIT_SECONDS = 0.01


class EntrySender:
    """Sends each entry once in the fleet for each of its scheduled times; several missed times are sent once.

    Each beat computes from the stored time ``served_until`` when an entry is due. The beat whose conditional UPDATE
    moves that time forward sends the entry. An entry from which a job was made is passed over. The database is read
    only when an entry is due.

    Limits: a beat that is killed between the UPDATE and the message loses that message. A message that the broker has
    stored but not confirmed may be sent twice.
    """

    def __init__(self, scheduler: Scheduler, schedule_file: str) -> None:
        self._scheduler, self._schedule_file = scheduler, schedule_file
        self._clock = DatabaseClock()
        self._wake_at: dict[str, float] = {}  #: name -> when to look at the entry again, monotonic
        self._logged: set[str] = set()  #: names of entries that are jobs
        self._failing = False
        self._connection = PersistentConnection()

    def send_next(self) -> float:
        """Send one entry if one is due. Returns the seconds until the next look."""
        entries = self._scheduler.schedule
        if not entries:
            return NO_ENTRIES_WAIT_SECONDS
        try:
            if self._wake_at.keys() != entries.keys():
                self._read_rows(entries)
            name = min(self._wake_at, key=self._wake_at.__getitem__)
            left = self._wake_at[name] - host_clock.monotonic()
            if left > 0:
                return left
            wait = self._send_if_due(entries[name])
        except Error as error:
            return self._log_database_down(error)
        finally:
            self._connection.release()
        self._failing = False
        self._wake_at[name] = host_clock.monotonic() + wait
        return 0.0

    def _read_rows(self, entries: dict[str, BeatScheduleEntry]) -> None:
        rows = beat_entries.read_or_create_entry_rows(entries.values(), self._clock.read(), self._schedule_file)
        for name, entry in entries.items():
            entry.schedule.nowfun = entry.schedule.nowfun or self._now
            self._set_last_run(entry, rows[key_of_entry(name)].served_until)
        self._wake_at = dict.fromkeys(entries, host_clock.monotonic())

    def _now(self) -> dt.datetime:
        return self._clock.now().astimezone(self._scheduler.app.timezone)

    def _set_last_run(self, entry: BeatScheduleEntry, served_until: dt.datetime) -> None:
        entry.last_run_at = served_until.astimezone(self._scheduler.app.timezone)

    def _send_if_due(self, entry: BeatScheduleEntry) -> float:
        """Returns the seconds until the entry may be due."""
        wait = _seconds_until_due(entry)
        if wait:
            return wait
        now = self._clock.read()
        row = beat_entries.read_or_create_entry_row(entry, now)
        self._set_last_run(entry, row.served_until)
        wait = _seconds_until_due(entry)
        if wait:  # another beat sent it, or the database's clock is behind its estimate
            return wait
        with deferred_signals():  # Celery's beat would end between the UPDATE and the message
            return self._claim_and_send(entry, row, now)

    def _claim_and_send(self, entry: BeatScheduleEntry, row: BeatEntry, now: dt.datetime) -> float:
        is_job = beat_entries.entry_has_job(entry.name)
        until = beat_entries.compute_served_until(entry, row.served_until, now)
        if not beat_entries.claim_scheduled_times(row, until, row.sent_at if is_job else now):
            return MIN_WAIT_SECONDS  # another beat sends it
        if is_job:
            self._warn_once_that_entry_is_job(entry)
        elif not self._send(entry):
            beat_entries.undo_claim(row, until)
            retry_at = host_clock.monotonic() + RETRY_SECONDS  # all wait: each try may block the ticks of jobs
            self._wake_at = {name: max(wake_at, retry_at) for name, wake_at in self._wake_at.items()}
            return RETRY_SECONDS
        self._set_last_run(entry, until)
        return _seconds_until_due(entry)

    def _send(self, entry: BeatScheduleEntry) -> bool:
        """Returns False if the broker refused the message. Any other error would recur, so it counts as sent."""
        scheduler: Any = self._scheduler
        logger.info("Sending %s (%s)", entry.name, entry.task)
        try:
            scheduler.apply_async(entry, producer=None, advance=False)
        except Exception as error:
            logger.error("The entry %r of beat_schedule was not sent: %s", entry.name, to_one_line(error))
            link = scheduler.app.connection_for_write()  # connects to nothing
            refused = (
                OSError,
                OperationalError,
                *link.connection_errors,
                *link.channel_errors,
                *link.recoverable_connection_errors,
            )
            return not isinstance(error.__context__, refused)
        return True

    def _warn_once_that_entry_is_job(self, entry: BeatScheduleEntry) -> None:
        if entry.name not in self._logged:
            self._logged.add(entry.name)
            logger.warning(
                "The entry %r of beat_schedule is a job now, and is not sent. Delete it from the settings.", entry.name
            )

    def _log_database_down(self, error: Error) -> float:
        if not self._failing:
            logger.error("The entries of beat_schedule wait for the database. %s", explain_database_error(error))
        self._failing = True
        return DATABASE_ERROR_WAIT_SECONDS


def _seconds_until_due(entry: BeatScheduleEntry) -> float:
    """Seconds until the entry may be due; 0 if it is due."""
    try:
        due, wait = entry.is_due()
    except Exception as error:  # a schedule of the project: it must not stop the others
        logger.error("The next time of the entry %r cannot be computed: %s", entry.name, to_one_line(error))
        return RETRY_SECONDS
    return 0.0 if due else max(MIN_WAIT_SECONDS, float(wait))
