"""Converts crontab entries to jobs: a management command if the line runs ``manage.py``, otherwise a raw command."""

from __future__ import annotations

import datetime as dt
import getpass
import hashlib
import pwd
import shlex
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from chroniker.conf import settings
from chroniker.importing.candidate import ImportCandidate
from chroniker.importing.crontab.cron_simulation import compute_cron_instants
from chroniker.importing.crontab.crontab_parser import CrontabEntry
from chroniker.importing.crontab.manage_line import ManagePyCommand, parse_manage_py_line
from chroniker.importing.crontab.redirections import remove_log_redirections
from chroniker.importing.crontab.shell_words import add_standard_input, can_run_without_shell
from chroniker.importing.report import MAX_INSTANTS_SHOWN
from chroniker.models import Job

#: Variables for cron itself, without a use for the command here.
CRON_VARIABLES = frozenset(
    {"MAILTO", "MAILFROM", "CRON_TZ", "SHELL", "CONTENT_TYPE", "CONTENT_TRANSFER_ENCODING", "RANDOM_DELAY"}
)
MAX_NAME_LENGTH = 120


class CronProgram(StrEnum):
    """Programs that read crontabs differently."""

    DEBIAN = "debian"
    CRONIE = "cronie"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The time of the import, and the machine of the crontab."""

    now: dt.datetime
    #: The time zone in which cron runs.
    zone: str
    #: The files that are this project's manage.py.
    manage_py_paths: Collection[Path]
    #: Needed only for a crontab with ``CRON_TZ``.
    cron: CronProgram | None = None


def candidates_of_entries(entries: Iterable[CrontabEntry], options: ImportOptions) -> list[ImportCandidate]:
    names: Counter[str] = Counter()
    origins: Counter[str] = Counter()
    found = []
    for entry in entries:
        candidate = _candidate_of_entry(entry, options)
        names[candidate.job.name] += 1
        origins[candidate.origin] += 1
        if origins[candidate.origin] > 1:  # the same line twice
            candidate.origin += f":{origins[candidate.origin]}"
        if names[candidate.job.name] > 1:
            candidate.job.name += f" ({names[candidate.job.name]})"
        found.append(candidate)
    return found


def _candidate_of_entry(entry: CrontabEntry, options: ImportOptions) -> ImportCandidate:
    notes: list[str] = []
    job = _job_of_entry(entry, options, notes)
    there = f"{entry.schedule} {entry.user} {entry.command}".replace("  ", " ").strip()
    candidate = ImportCandidate(_origin_of_entry(entry), job, there, differences=notes)
    candidate.refusal = _refusal_reason(entry, job, options)
    candidate.instants_there = _instants_in_cron(entry, job, options) if not candidate.refusal else []
    if mail := entry.variables.get("MAILTO"):
        notes.append(_("Cron sent the output by mail to %(mail)s: add subscribers to the job.") % {"mail": mail})
    if entry.user and entry.user != _current_user():
        notes.append(_("It ran as %(user)s; here it runs as the user of the worker.") % {"user": entry.user})
    return candidate


def _origin_of_entry(entry: CrontabEntry) -> str:
    identity = "\0".join([entry.user, entry.schedule, entry.command, *entry.stdin])
    return f"crontab:{hashlib.sha256(identity.encode()).hexdigest()[:32]}"


def _job_of_entry(entry: CrontabEntry, options: ImportOptions, notes: list[str]) -> Job:
    home = _home_directory(entry)
    job = Job(cron=entry.cron_expression, timezone=_time_zone_of_entry(entry, options, notes), working_directory=home)
    variables = {name: value for name, value in entry.variables.items() if name not in CRON_VARIABLES}
    line = parse_manage_py_line(entry.command, home, options.manage_py_paths) if not entry.stdin else None
    if line is not None:
        _set_management_command(job, line, notes)
        variables |= dict(each.split("=", 1) for each in line.variables)
    else:
        _set_raw_command(job, entry, notes)
    job.environment = "\n".join(f"{name}={value}" for name, value in variables.items())
    job.name = _job_name(entry.comment or f"{job.command} {job.args}".strip() or entry.command)
    return job


def _time_zone_of_entry(entry: CrontabEntry, options: ImportOptions, notes: list[str]) -> str:
    zone = entry.variables.get("CRON_TZ")
    if not zone or zone == options.zone:
        return options.zone
    if options.cron == CronProgram.DEBIAN:
        notes.append(_("Debian's cron ignores CRON_TZ=%(zone)s, and so does this job.") % {"zone": zone})
        return options.zone
    notes.append(_("Its time zone is CRON_TZ=%(zone)s.") % {"zone": zone})
    return zone


def _set_management_command(job: Job, line: ManagePyCommand, notes: list[str]) -> None:
    prefixes = line.prefixes
    job.command, job.args, job.working_directory = line.command, shlex.join(line.args), line.directory
    job.timeout_seconds = prefixes.timeout_seconds
    job.overlap = prefixes.overlap or job.overlap
    notes += prefixes.notes
    _add_note_about_files(prefixes.files, notes)


def _set_raw_command(job: Job, entry: CrontabEntry, notes: list[str]) -> None:
    redirected = remove_log_redirections(entry.command)
    command = redirected.command.strip() or entry.command
    _add_note_about_files(redirected.files, notes)
    if not entry.stdin and can_run_without_shell(command):
        job.raw_command = command
        return
    shell = entry.variables.get("SHELL", "sh")
    job.raw_command = shlex.join([shell, "-c", add_standard_input(command, entry.stdin)])
    notes.append(_("It needs a shell, so it runs in one: %(shell)s -c …") % {"shell": shell})
    if ">" in command:
        notes.append(_("It redirects output itself; that output is not kept with the runs."))


def _add_note_about_files(files: Collection[str], notes: list[str]) -> None:
    if files:
        notes.append(_("Its output went to %(files)s; here it is kept with each run.") % {"files": ", ".join(files)})


def _refusal_reason(entry: CrontabEntry, job: Job, options: ImportOptions) -> str:
    if not entry.schedule:
        return _("Line %(number)d is not a valid crontab line: it must have a schedule, then a command.") % {
            "number": entry.number
        }
    if entry.schedule.lower() == "@reboot":
        return _("A schedule cannot start a job at reboot.")
    if entry.variables.get("CRON_TZ") and options.cron is None:
        return _(
            "CRON_TZ: cronie uses it, Debian's cron ignores it. Specify the program: “cronie” or “debian” (on the "
            "command line: --cron)."
        )
    if job.raw_command and not settings.raw_commands_allowed:
        return _("Raw commands are disabled here (CHRONIKER_DISABLE_RAW_COMMAND).")
    return ""


def _instants_in_cron(entry: CrontabEntry, job: Job, options: ImportOptions) -> list[dt.datetime]:
    try:
        zone = ZoneInfo(job.timezone)
    except (KeyError, ValueError, OSError):
        return []
    return compute_cron_instants(entry.cron_expression, zone, options.now, MAX_INSTANTS_SHOWN)


def _job_name(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_NAME_LENGTH else text[: MAX_NAME_LENGTH - 1] + "…"


def _home_directory(entry: CrontabEntry) -> str:
    """The directory in which cron starts the command."""
    if home := entry.variables.get("HOME"):
        return home
    try:
        return pwd.getpwnam(entry.user).pw_dir if entry.user else str(Path.home())
    except (KeyError, RuntimeError):  # a user of another machine
        return ""


def _current_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
