"""What a line of a crontab becomes: a management command where it runs ``manage.py``, else a raw command."""

from __future__ import annotations

import datetime as dt
import getpass
import hashlib
import pwd
import shlex
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from croniter import croniter
from django.utils.translation import gettext as _

from chroniker import schedule
from chroniker.conf import settings
from chroniker.exceptions import ScheduleError
from chroniker.importing.candidate import Candidate
from chroniker.importing.crontab.crontab_parser import Entry
from chroniker.importing.crontab.manage_line import as_manage_line, is_plain, with_input
from chroniker.importing.report import INSTANTS
from chroniker.models import Job

#: What cron itself reads; the command has no use for it here.
CRONS_OWN = frozenset(
    {"MAILTO", "MAILFROM", "CRON_TZ", "SHELL", "CONTENT_TYPE", "CONTENT_TRANSFER_ENCODING", "RANDOM_DELAY"}
)
LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What is to be known of the machine that the crontab is of."""

    now: dt.datetime
    #: The zone of lines that no CRON_TZ stands above.
    zone: str
    #: The files that count as this project's manage.py.
    manage: Collection[Path]


def candidates(entries: Iterable[Entry], ways: ImportOptions) -> list[Candidate]:
    names: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    found = []
    for entry in entries:
        candidate = _candidate(entry, ways)
        names[candidate.job.name] += 1
        lines[candidate.origin] += 1
        if lines[candidate.origin] > 1:  # the same line twice
            candidate.origin += f":{lines[candidate.origin]}"
        if names[candidate.job.name] > 1:
            candidate.job.name += f" ({names[candidate.job.name]})"
        found.append(candidate)
    return found


def _candidate(entry: Entry, ways: ImportOptions) -> Candidate:
    said: list[str] = []
    job = _job(entry, ways, said)
    there = f"{entry.schedule} {entry.user} {entry.command}".replace("  ", " ").strip()
    known = "\0".join([entry.user, entry.schedule, entry.command, *entry.stdin])
    candidate = Candidate(f"crontab:{hashlib.sha256(known.encode()).hexdigest()[:32]}", job, there, unlike=said)
    candidate.refusal = _refusal(entry, job)
    candidate.instants = _instants(job, ways.now) if not candidate.refusal else []
    if mail := entry.variables.get("MAILTO"):
        told = _("Cron mailed to %(mail)s what it wrote, unless it went elsewhere: subscribe users to the job.")
        said.append(told % {"mail": mail})
    if entry.user and entry.user != _myself():
        said.append(_("It ran as %(user)s there; here as the user of the worker.") % {"user": entry.user})
    return candidate


def _job(entry: Entry, ways: ImportOptions, said: list[str]) -> Job:
    home = _home(entry)
    variables = {name: value for name, value in entry.variables.items() if name not in CRONS_OWN}
    zone = entry.variables.get("CRON_TZ") or ways.zone
    job = Job(cron=entry.cron, timezone=zone, working_directory=home)
    line = as_manage_line(entry.command, home, ways.manage) if not entry.stdin else None
    if line:
        job.command, job.args, job.working_directory = line.command, shlex.join(line.words), line.directory
        variables |= dict(each.split("=", 1) for each in line.variables)
        if line.files:
            said.append(
                _("Its output went to %(files)s; here it is kept with each run.") % {"files": ", ".join(line.files)}
            )
    elif entry.stdin or not is_plain(entry.command):
        shell = entry.variables.get("SHELL", "sh")
        job.raw_command = shlex.join([shell, "-c", with_input(entry.command, entry.stdin)])
        said.append(_("It takes a shell, so it is run by one: %(shell)s -c …") % {"shell": shell})
    else:
        job.raw_command = entry.command
    job.environment = "\n".join(f"{name}={value}" for name, value in variables.items())
    job.name = _name(f"{job.command} {job.args}".strip() if line else entry.command)
    return job


def _refusal(entry: Entry, job: Job) -> str:
    if not entry.schedule:
        return _("Line %(number)d is no line of a crontab: a schedule, then a command.") % {"number": entry.number}
    if entry.schedule.lower() == "@reboot":
        return _("A schedule has no reboot.")
    if job.raw_command and not settings.raw_commands_allowed:
        return _("Raw commands are switched off here (CHRONIKER_DISABLE_RAW_COMMAND).")
    return ""


def _instants(job: Job, now: dt.datetime) -> list[dt.datetime]:
    """Counted by croniter, which shares no code with our schedules."""
    try:
        schedule.validate(job.spec)
    except ScheduleError:
        return []
    following = croniter(job.cron, now.astimezone(ZoneInfo(job.timezone)))
    return [following.get_next(dt.datetime).astimezone(dt.UTC) for _number in range(INSTANTS)]


def _name(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"


def _home(entry: Entry) -> str:
    """Where cron starts the command."""
    if home := entry.variables.get("HOME"):
        return home
    try:
        return pwd.getpwnam(entry.user).pw_dir if entry.user else str(Path.home())
    except (KeyError, RuntimeError):  # a user of another machine
        return ""


def _myself() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
