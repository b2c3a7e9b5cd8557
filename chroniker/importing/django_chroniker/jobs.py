"""What a job of the ancestor becomes here."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext as _

from chroniker import schedule
from chroniker.exceptions import ScheduleError
from chroniker.importing.candidate import Candidate, ImportedHistory
from chroniker.importing.django_chroniker.arguments import to_command_line
from chroniker.importing.django_chroniker.old_rule import OldRule
from chroniker.importing.django_chroniker.tables import OldJob
from chroniker.importing.report import INSTANTS
from chroniker.models import Job, Status

MAX_JITTER = 86_400
UTC = ZoneInfo("UTC")
#: The ancestor wrote this into each monitor; here it stands for no template at all.
DEFAULT_TEMPLATE = """
The monitor "{{ job.name }}" has indicated a problem.

Please review this monitor at {{ url }}

{{ job.monitor_description_safe }}

{{ stderr }}
"""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What is to be known of the project that is left."""

    now: dt.datetime
    #: The zone that jobs are to have here; None: the one that the ancestor counted in, so that instants stay the same.
    zone: str | None = None
    #: Whether a job that is overdue there runs here, once.
    catch_up: bool = True

    def counted_in(self, moment: dt.datetime | None) -> ZoneInfo:
        """With USE_TZ the ancestor counted in UTC, whatever TIME_ZONE said; without it in local time."""
        naive = moment is not None and moment.tzinfo is None
        return ZoneInfo(timezone.get_default_timezone_name()) if naive else UTC


def candidates(old_jobs: list[OldJob], ways: ImportOptions, past: dict[int, int]) -> dict[int, Candidate]:
    """By the id that a job had there. ``past``: how many of its logs can be imported."""
    names: Counter[str] = Counter()
    found = {}
    for old in old_jobs:
        names[old.name] += 1
        name = old.name if names[old.name] == 1 else f"{old.name} ({names[old.name]})"
        found[old.pk] = _candidate(old, name, ways, past.get(old.pk, 0))
        if name != old.name:
            found[old.pk].unlike.append(_("There are several jobs of this name there; here a name is unique."))
    return found


def _candidate(old: OldJob, name: str, ways: ImportOptions, past: int) -> Candidate:
    zone = ways.counted_in(old.next_run)
    next_run = old.next_run.replace(tzinfo=zone) if old.next_run and old.next_run.tzinfo is None else old.next_run
    rule = OldRule.read(old.frequency, old.params)
    args, remarks = to_command_line(old.command, old.args, like_a_shell=old.jitter_seconds is not None)
    job = _job(old, name, rule, args, next_run, ways.zone or zone.key)
    candidate = Candidate(f"django-chroniker:{name}", job, _there(old, next_run), past=_past(old, past))
    candidate.unlike = [*rule.remarks(), *remarks, *_remarks(old, zone, ways)]
    if job.frequency == schedule.Frequency.ONCE and next_run and next_run <= ways.now and not ways.catch_up:
        job.enabled = False
        candidate.unlike.append(_("Its one run is overdue: it is switched off here."))
    if old.enabled and next_run is None:
        job.enabled = False
        candidate.unlike.append(_("It had no next run there and would never have run: it is switched off here."))
    if old.enabled and next_run is not None:
        if ways.catch_up and next_run <= ways.now:
            candidate.due_since = next_run
            candidate.unlike.append(_("It is overdue there: the next tick runs it here, once."))
        candidate.instants = _instants(job, rule, next_run, ways.now, zone)
        if next_run > ways.now and not ways.zone and candidate.instants and not _is_instant(job, next_run):
            candidate.unlike.append(_("Its next run there is no instant of its rule: that one run is left out here."))
    return candidate


def _is_instant(job: Job, moment: dt.datetime) -> bool:
    """A schedule knows nothing finer than seconds."""
    return schedule.latest_until(job.spec, moment) == moment.replace(microsecond=0)


def _instants(job: Job, rule: OldRule, next_run: dt.datetime, now: dt.datetime, zone: ZoneInfo) -> list[dt.datetime]:
    try:
        schedule.validate(job.spec)  # dateutil would search a rule that never fires for ever
    except ScheduleError:
        return []
    try:
        return rule.instants(next_run, now, INSTANTS, zone)
    except (TypeError, ValueError, AttributeError):  # it did not work there either
        return []


def _job(old: OldJob, name: str, rule: OldRule, args: str, next_run: dt.datetime | None, zone: str) -> Job:
    frequency = {"frequency": old.frequency, "params": rule.text, "starts_at": next_run}
    if rule.is_last and next_run is not None:
        frequency = {"frequency": schedule.Frequency.ONCE, "run_at": next_run}
    template = old.monitor_error_template or ""
    return Job(
        name=name,
        command=old.command.strip(),
        args=args,
        raw_command=(old.raw_command or "").strip(),
        enabled=old.enabled,
        **frequency,
        timezone=zone,
        jitter_seconds=min(old.jitter_seconds or 0, MAX_JITTER),
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
        monitor_error_template="" if template.strip() == DEFAULT_TEMPLATE.strip() else template,
        monitor_description=old.monitor_description or "",
        force_run=old.force_run and old.enabled,
    )


def _past(old: OldJob, logs: int) -> ImportedHistory:
    ended = {True: Status.SUCCEEDED.value, False: Status.FAILED.value, None: ""}
    last_run = old.last_run
    if last_run is not None and last_run.tzinfo is None:
        last_run = timezone.make_aware(last_run)
    return ImportedHistory(logs, ended[old.last_run_successful], last_run)


def _there(old: OldJob, next_run: dt.datetime | None) -> str:
    rule = " ".join(filter(None, [old.frequency, (old.params or "").strip()]))
    if not old.enabled:
        return _("%(rule)s, switched off") % {"rule": rule}
    shown = timezone.localtime(next_run).isoformat(" ") if next_run else "-"
    return _("%(rule)s, next run %(moment)s") % {"rule": rule, "moment": shown}


def _remarks(old: OldJob, zone: ZoneInfo, ways: ImportOptions) -> list[str]:
    said = []
    project = timezone.get_default_timezone_name()
    if zone.key == "UTC" != project and not ways.zone:
        said.append(_("It is counted in UTC, as it was there, and not in %(zone)s.") % {"zone": project})
    if old.jitter_seconds:
        said.append(_("Its jitter is a fixed offset here; there it was drawn anew for each run, and added up."))
    if (old.jitter_seconds or 0) > MAX_JITTER:
        said.append(_("Its jitter is cut down to a day."))
    if old.is_running:
        said.append(_("It was marked as running there."))
    return said
