"""Converts the entries of ``beat_schedule``, in the settings or from ``add_periodic_task``, to jobs."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Mapping
from typing import Any

from celery import Celery
from celery.beat import ScheduleEntry
from celery.schedules import crontab, schedule, solar
from django.utils.translation import gettext as _

from chroniker.clock.database_clock import database_now
from chroniker.exceptions import ImportRefused
from chroniker.importing import save_candidates
from chroniker.importing.candidate import ImportCandidate
from chroniker.models import Job
from chroniker_celery import beat_entries, beat_file
from chroniker_celery.beat_entries import BEAT_ENTRY_ORIGIN_PREFIX, BeatScheduleEntry
from chroniker_celery.importing import jobs
from chroniker_celery.importing.beat_tables import BeatRows, Crontab, Interval, Solar, Task
from chroniker_celery.importing.celery_app import find_project_celery_app, import_task_modules
from chroniker_celery.importing.jobs import ImportOptions
from chroniker_celery.models import key_of_entry

#: Options of an entry that have a place in the job or in its command. The report names all other options.
IMPORTED_OPTIONS = frozenset({"queue", "exchange", "routing_key", "headers", "priority", "expires"})
ONE_SECOND = dt.timedelta(seconds=1)


def make_import_candidates(
    app: Celery, options: ImportOptions, names: Collection[str] | None = None
) -> list[ImportCandidate]:
    """A job for each entry, or for each with one of these names. Entries that Celery itself adds are left out.

    A job goes on where the last message of its entry was: that of our beat, or of Celery's own beat on this host.
    """
    chosen = {name: entry for name, entry in app.conf.beat_schedule.items() if names is None or name in names}
    sent_by_beat = beat_file.read_last_sent_times(str(app.conf.beat_schedule_filename))
    sent = sent_by_beat | beat_entries.read_served_until_by_entry(chosen)
    return [_make_candidate(name, entry, app, options, sent.get(name)) for name, entry in chosen.items()]


def import_entries(keys: Collection[str], *, by: str) -> list[ImportCandidate]:
    """Save a job for each entry of the project's app with one of these keys (of ``key_of_entry``)."""
    app = find_project_celery_app()
    import_task_modules(app)
    names = {name for name in app.conf.beat_schedule if key_of_entry(name) in keys}
    found = make_import_candidates(app, ImportOptions(database_now(), set(app.tasks)), names)
    save_candidates(found, by=by)
    return found


def _make_candidate(
    name: str, settings: Mapping[str, Any], app: Celery, options: ImportOptions, last: dt.datetime | None
) -> ImportCandidate:
    try:
        entry: BeatScheduleEntry = ScheduleEntry(**dict(settings, name=name, app=app))
        task, beat = _make_task_row(entry, last), BeatRows([], {}, {}, {}, {})
        _add_schedule_row(entry.schedule, task, beat)
    except ImportRefused as refusal:
        return ImportCandidate(
            f"{BEAT_ENTRY_ORIGIN_PREFIX}{name}", Job(name=name), str(settings.get("task", "")), refusal=str(refusal)
        )
    candidate = jobs.make_import_candidate(task, beat, options, f"{BEAT_ENTRY_ORIGIN_PREFIX}{name}")
    if candidate.refusal:
        return candidate
    if others := sorted(set(entry.options) - IMPORTED_OPTIONS):
        candidate.differences.append(_("These options are not imported: %(names)s.") % {"names": ", ".join(others)})
    if getattr(entry.schedule, "relative", False):
        candidate.differences.append(_("Its times were rounded there (relative); here they are not."))
    if last is not None:
        candidate.due_since = _first_missed_time(entry.schedule, last, options.now)
    return candidate


def _first_missed_time(celery_schedule: Any, last: dt.datetime, now: dt.datetime) -> dt.datetime | None:
    """The first time after the last message, if it has passed."""
    celery_schedule.nowfun = lambda: now
    try:
        first: dt.datetime = now + celery_schedule.remaining_estimate(last)
    finally:
        celery_schedule.nowfun = None
    return first if first <= now else None


def _make_task_row(entry: BeatScheduleEntry, last: dt.datetime | None) -> Task:
    """The entry, as a row of django-celery-beat."""
    options = entry.options
    expires = options.get("expires")
    return Task(
        name=entry.name,
        task=entry.task,
        args=_to_json(entry.args, list),
        kwargs=_to_json(entry.kwargs, dict),
        queue=_queue_or_exchange_name(options.get("queue")),
        exchange=_queue_or_exchange_name(options.get("exchange")),
        routing_key=options.get("routing_key"),
        headers=_to_json(options.get("headers"), dict),
        priority=options.get("priority"),
        expires=expires if isinstance(expires, dt.datetime) else None,
        expire_seconds=int(expires) if isinstance(expires, int | float) else None,
        last_run_at=last,
    )


def _queue_or_exchange_name(option: Any) -> str | None:
    """The name of a queue or an exchange, which may be an object of kombu."""
    return None if option is None else str(getattr(option, "name", option))


def _to_json(value: Any, kind: type) -> str:
    try:
        return json.dumps(kind(value or ()))
    except (TypeError, ValueError) as error:  # also arguments that are computed when the entry is sent
        raise ImportRefused(_("Its arguments are not JSON: %(error)s") % {"error": error}) from error


def _add_schedule_row(celery_schedule: Any, task: Task, beat: BeatRows) -> None:
    """Add the schedule as a row of its table. Raises ``ImportRefused`` for a schedule class of the project."""
    if type(celery_schedule) is crontab:
        beat.crontabs[1] = _crontab_row(celery_schedule)
        task.crontab = 1
    elif type(celery_schedule) is schedule:
        beat.intervals[1] = _interval_row(celery_schedule)
        task.interval = 1
    elif isinstance(celery_schedule, solar):
        beat.solar[1] = Solar(event=celery_schedule.event)
        task.solar = 1
    else:
        raise ImportRefused(
            _("A schedule of the type %(type)s has no equivalent.") % {"type": type(celery_schedule).__name__}
        )


def _crontab_row(celery_schedule: Any) -> Crontab:
    names = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
    return Crontab(
        timezone=str(celery_schedule.tz),
        **{name: _cron_field(getattr(celery_schedule, f"_orig_{name}")) for name in names},
    )


def _cron_field(value: Any) -> str:
    return str(value) if isinstance(value, str | int) else ",".join(str(each) for each in sorted(value))


def _interval_row(celery_schedule: Any) -> Interval:
    every: dt.timedelta = celery_schedule.run_every
    if every % ONE_SECOND:
        return Interval(every=every // dt.timedelta(microseconds=1), period="microseconds")
    return Interval(every=every // ONE_SECOND, period="seconds")
