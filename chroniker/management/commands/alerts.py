from __future__ import annotations

import datetime as dt
import json as json_module
import re
import shlex
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import QuerySet

from chroniker.clock.database_clock import database_now
from chroniker.escaping import to_one_line
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.management.console import (
    SYSTEM_CHECK_TAGS,
    explain_database_errors,
    get_group_by_name,
    get_job_by_name_or_id,
    local_time_text,
    parse_moment,
    parse_row_limit,
)
from chroniker.management.diagnosis.finding import MAX_NAMES_PER_MESSAGE, join_first_names
from chroniker.management.table import table_lines
from chroniker.management.terminal import ConsoleCommand
from chroniker.models import Alert, AlertMute, Group, Job
from chroniker.models.audit import command_actor
from chroniker.scheduler import requests

TABLE_HEADER = ("job", "alert", "since", "ended", "text")
TIME_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Command(ConsoleCommand):
    help = (
        "Lists alerts, the newest first; or mutes those of a job, of a group, or of all jobs for some time. "
        "With --json one object per line: id, job, kind, key, raised_at, ended_at, reported_at, run, text; times in "
        "ISO 8601, null for missing values."
    )
    requires_system_checks = SYSTEM_CHECK_TAGS

    def add_arguments(self, parser: CommandParser) -> None:
        scope = parser.add_mutually_exclusive_group()
        scope.add_argument("--job", metavar="NAME-OR-ID", help="only this job")
        scope.add_argument("--group", metavar="NAME", help="only the jobs of this group")
        parser.add_argument("--open", action="store_true", help="only alerts that have not ended")
        parser.add_argument(
            "--limit", type=parse_row_limit, default=50, metavar="N", help="at most this many (50); 0: all"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object per line, for programs")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--mute", metavar="TIME", help="mute them so long (30m, 2h, 1d), or until 2026-03-29T03:00")
        what.add_argument(
            "--unmute", action="store_true", help="end the mutes of this job, of this group, or of all jobs"
        )
        parser.add_argument(
            "--from", dest="since", metavar="TIME", help="with --mute: a maintenance window that begins then"
        )
        parser.add_argument("--reason", default="", metavar="TEXT", help="with --mute: shown beside the mute")

    def handle(self, *, job: str | None, group: str | None, mute: str | None, unmute: bool, **options: Any) -> None:
        with explain_database_errors():
            one = get_job_by_name_or_id(job) if job is not None else None
            some = get_group_by_name(group) if group is not None else None
            if mute is not None:
                self.mute(mute, one, some, options["since"], options["reason"])
            elif unmute:
                self.unmute(one, some)
            else:
                self.show(_alerts_of_job_or_group(one, some, options["open"]), options["limit"], options["json"])

    def mute(self, time: str, job: Job | None, group: Group | None, since: str | None, reason: str) -> None:
        begin = parse_moment(since) or database_now()
        end = _parse_end_time(time, begin)
        if end <= max(begin, database_now()):
            raise CommandError(
                f"The end, {local_time_text(end)}, is not after both the beginning and the present time."
            )
        by = command_actor("alerts")
        requests.mute_alerts(by, end, job=job, group=group, since=begin if since else None, reason=reason)
        begins = f"from {local_time_text(begin)} " if since else ""
        self.stdout.write(f"Muted {begins}until {local_time_text(end)}. What is still open then is reported.")

    def unmute(self, job: Job | None, group: Group | None) -> None:
        if not requests.unmute_alerts(command_actor("alerts"), job=job, group=group):
            self.stdout.write(_no_mute_message(job, group))
            raise SystemExit(1)
        self.stdout.write("The mute has ended; the next tick reports what is open.")

    def show(self, alerts: QuerySet[Alert], limit: int, json: bool) -> None:
        found = list(alerts[:limit] if limit else alerts)
        if json:
            for alert in found:
                self.stdout.write(as_json(alert))
        else:
            self.stdout.write(
                "\n".join(table_lines([table_row(alert) for alert in found], TABLE_HEADER)) or "No alerts."
            )


def _alerts_of_job_or_group(job: Job | None, group: Group | None, only_open: bool) -> QuerySet[Alert]:
    alerts = Alert.objects.select_related("job").order_by("-raised_at", "-pk")
    if job is not None:
        alerts = alerts.filter(job=job)
    if group is not None:
        alerts = alerts.filter(job__group=group)
    return alerts.filter(ended_at=None) if only_open else alerts


def _no_mute_message(job: Job | None, group: Group | None) -> str:
    """Names the other mutes: a person who ends the mute of all jobs often means the mute of one job."""
    of = f"the job “{job.name}”" if job else f"the group “{group.name}”" if group else "all jobs"
    rows = AlertMute.objects.filter(ends_at__gt=database_now()).select_related("job", "group")
    others = [
        f"{_mute_scope_text(row)} (until {local_time_text(row.ends_at)})" for row in rows[: MAX_NAMES_PER_MESSAGE + 1]
    ]
    return f"There was no mute of {of}." + (f" Other mutes: {join_first_names(others)}." if others else "")


def _mute_scope_text(mute: AlertMute) -> str:
    """The options of this command that name what it mutes."""
    if mute.job is not None:
        return f"--job {shlex.quote(to_one_line(mute.job.name))}"
    return f"--group {shlex.quote(to_one_line(mute.group.name))}" if mute.group is not None else "all jobs"


def _parse_end_time(time: str, begin: dt.datetime) -> dt.datetime:
    if length := re.fullmatch(r"(\d{1,5})([mhd])", time):
        try:
            return begin + dt.timedelta(**{TIME_UNITS[length[2]]: int(length[1])})
        except OverflowError:
            raise CommandError("The end is after the year 9999.") from None
    return parse_moment(time) or begin


def masked_alert_text(alert: Alert) -> str:
    return mask_secrets(alert.text, alert.job.secrets) if alert.job else alert.text


def table_row(alert: Alert) -> tuple[str, ...]:
    ended = local_time_text(alert.ended_at) if alert.ended_at else "-" if alert.reported_at else "- (muted)"
    name = alert.job.name if alert.job else "-"
    return (
        name,
        str(alert.get_kind_display()),
        local_time_text(alert.raised_at),
        ended,
        " ".join(masked_alert_text(alert).split()),
    )


def as_json(alert: Alert) -> str:
    return json_module.dumps(
        {
            "id": str(alert.pk),
            "job": {"id": alert.job.pk, "name": alert.job.name} if alert.job else None,
            "kind": alert.kind,
            "key": alert.key,
            "raised_at": _iso_or_none(alert.raised_at),
            "ended_at": _iso_or_none(alert.ended_at),
            "reported_at": _iso_or_none(alert.reported_at),
            "run": str(alert.run_id) if alert.run_id else None,
            "text": masked_alert_text(alert),
        },
        ensure_ascii=False,
    )


def _iso_or_none(time: dt.datetime | None) -> str | None:
    return time.isoformat() if time else None
