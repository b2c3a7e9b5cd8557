"""Converts jobs of django-chroniker."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext as _

from chroniker import schedule
from chroniker.exceptions import ScheduleError
from chroniker.importing.candidate import ImportCandidate, ImportedHistory
from chroniker.importing.django_chroniker.arguments import to_command_line
from chroniker.importing.django_chroniker.old_rule import OldRule
from chroniker.importing.django_chroniker.tables import OldJob
from chroniker.importing.report import MAX_INSTANTS_SHOWN
from chroniker.models import Job, Status

MAX_JITTER_SECONDS = 86_400
UTC = ZoneInfo("UTC")
#: django-chroniker wrote this into each monitor. Here it means no template.
OLD_DEFAULT_MONITOR_TEMPLATE = """
The monitor "{{ job.name }}" has indicated a problem.

Please review this monitor at {{ url }}

{{ job.monitor_description_safe }}

{{ stderr }}
"""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The time and the options of the import."""

    now: dt.datetime
    #: The time zone of all jobs. None: the one in which django-chroniker computed, so that instants stay the same.
    zone: str | None = None
    #: Whether an overdue job runs here once.
    catch_up: bool = True


def time_zone_of_original(moment: dt.datetime | None) -> ZoneInfo:
    """With USE_TZ, django-chroniker computed in UTC, whatever TIME_ZONE was; without USE_TZ, in local time."""
    is_naive = moment is not None and moment.tzinfo is None
    return ZoneInfo(timezone.get_default_timezone_name()) if is_naive else UTC


def candidates_of_jobs(
    old_jobs: list[OldJob], options: ImportOptions, log_counts: dict[int, int]
) -> dict[int, ImportCandidate]:
    """The jobs by their old ids. ``log_counts``: how many logs of each can be imported."""
    names: Counter[str] = Counter()
    found = {}
    for old in old_jobs:
        names[old.name] += 1
        name = old.name if names[old.name] == 1 else f"{old.name} ({names[old.name]})"
        found[old.pk] = _candidate_of_job(old, name, options, log_counts.get(old.pk, 0))
        if name != old.name:
            found[old.pk].differences.append(
                _("Several jobs have the same name there; here names are unique, so this one gets a number.")
            )
    return found


def _candidate_of_job(old: OldJob, name: str, options: ImportOptions, log_count: int) -> ImportCandidate:
    zone = time_zone_of_original(old.next_run)
    next_run = old.next_run.replace(tzinfo=zone) if old.next_run and old.next_run.tzinfo is None else old.next_run
    rule = OldRule.parse(old.frequency, old.params)
    args, argument_notes = to_command_line(old.command, old.args, like_a_shell=old.jitter_seconds is not None)
    job = _new_job(old, name, rule, _ValuesOfNewJob(args, next_run, options.zone or zone.key))
    candidate = ImportCandidate(f"django-chroniker:{name}", job, _original_schedule_text(old, next_run))
    candidate.history = _imported_history(old, log_count)
    candidate.differences = [*rule.notes(), *argument_notes, *_difference_notes(old, zone, options)]
    if next_run is not None:
        _add_next_run(candidate, old, rule, next_run, options)
    elif old.enabled:
        job.enabled = False
        candidate.differences.append(_("It had no next run there and would never have run: it is disabled here."))
    return candidate


def _add_next_run(
    candidate: ImportCandidate, old: OldJob, rule: OldRule, next_run: dt.datetime, options: ImportOptions
) -> None:
    job, is_overdue = candidate.job, next_run <= options.now
    if job.frequency == schedule.Frequency.ONCE and is_overdue and not options.catch_up:
        job.enabled = False
        candidate.differences.append(_("Its only run is overdue: the job is disabled here."))
    if not old.enabled:
        return
    if is_overdue and options.catch_up:
        candidate.due_since = next_run
        candidate.differences.append(_("It is overdue there: the next tick runs it here once."))
    candidate.instants_there = _next_instants_in_original(
        job, rule, next_run, options.now, time_zone_of_original(old.next_run)
    )
    if not is_overdue and not options.zone and candidate.instants_there and not _is_scheduled_time(job, next_run):
        candidate.differences.append(_("Its next run there does not match its rule: that run is left out here."))


def _is_scheduled_time(job: Job, moment: dt.datetime) -> bool:
    """Schedules have a resolution of one second."""
    return schedule.latest_instant_until(job.spec, moment) == moment.replace(microsecond=0)


def _next_instants_in_original(
    job: Job, rule: OldRule, next_run: dt.datetime, now: dt.datetime, zone: ZoneInfo
) -> list[dt.datetime]:
    try:
        schedule.validate_schedule(job.spec)  # dateutil would never end the search for a rule that never fires
    except ScheduleError:
        return []
    try:
        return rule.instants(next_run, now, MAX_INSTANTS_SHOWN, zone)
    except (TypeError, ValueError, AttributeError):  # the rule did not work there either
        return []


@dataclass(frozen=True, slots=True)
class _ValuesOfNewJob:
    """Values of the new job that were computed from the old one."""

    args: str
    next_run: dt.datetime | None
    zone: str


def _new_job(old: OldJob, name: str, rule: OldRule, values: _ValuesOfNewJob) -> Job:
    next_run = values.next_run
    frequency = {"frequency": old.frequency, "params": rule.text, "starts_at": next_run}
    if rule.is_next_run_last and next_run is not None:
        frequency = {"frequency": schedule.Frequency.ONCE, "run_at": next_run}
    template = old.monitor_error_template or ""
    return Job(
        name=name,
        command=old.command.strip(),
        args=values.args,
        raw_command=(old.raw_command or "").strip(),
        enabled=old.enabled,
        **frequency,
        timezone=values.zone,
        jitter_seconds=min(old.jitter_seconds or 0, MAX_JITTER_SECONDS),
        timeout_seconds=old.timeout_seconds or None,
        fail_on_stderr=True,
        hostname=old.hostname or "",
        log_stdout=old.log_stdout,
        log_stderr=old.log_stderr,
        maximum_log_entries=old.maximum_log_entries,
        email_errors_to_subscribers=old.email_errors_to_subscribers,
        email_success_to_subscribers=old.email_success_to_subscribers,
        is_monitor=old.is_monitor,
        monitor_url=old.monitor_url or "",
        monitor_error_template="" if template.strip() == OLD_DEFAULT_MONITOR_TEMPLATE.strip() else template,
        monitor_description=old.monitor_description or "",
        force_run=old.force_run and old.enabled,
    )


def _imported_history(old: OldJob, log_count: int) -> ImportedHistory:
    statuses = {True: Status.SUCCEEDED.value, False: Status.FAILED.value, None: ""}
    last_run = old.last_run
    if last_run is not None and last_run.tzinfo is None:
        last_run = timezone.make_aware(last_run)
    return ImportedHistory(log_count, statuses[old.last_run_successful], last_run)


def _original_schedule_text(old: OldJob, next_run: dt.datetime | None) -> str:
    rule = " ".join(filter(None, [old.frequency, (old.params or "").strip()]))
    if not old.enabled:
        return _("%(rule)s, disabled") % {"rule": rule}
    shown = timezone.localtime(next_run).isoformat(" ") if next_run else "-"
    return _("%(rule)s, next run %(moment)s") % {"rule": rule, "moment": shown}


def _difference_notes(old: OldJob, zone: ZoneInfo, options: ImportOptions) -> list[str]:
    notes = []
    project = timezone.get_default_timezone_name()
    if zone.key == "UTC" != project and not options.zone:
        notes.append(_("Its time zone is UTC, as there, and not %(zone)s.") % {"zone": project})
    if old.jitter_seconds:
        notes.append(
            _("Its jitter is a fixed delay here; there each run had a new random delay, and the delays added up.")
        )
    if (old.jitter_seconds or 0) > MAX_JITTER_SECONDS:
        notes.append(_("Its jitter is reduced to one day."))
    if old.is_running:
        notes.append(_("It was marked as running there."))
    return notes
