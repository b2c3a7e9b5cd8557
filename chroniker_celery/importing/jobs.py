"""Converts periodic tasks to jobs whose command runs the task or sends it."""

from __future__ import annotations

import datetime as dt
import json
import shlex
from collections.abc import Collection
from dataclasses import dataclass

from django.utils.translation import gettext as _

from chroniker.exceptions import ImportRefused
from chroniker.importing.candidate import ImportCandidate
from chroniker.models import Job
from chroniker.schedule import Frequency
from chroniker_celery.importing.beat_schedules import ConvertedSchedule, convert_schedule
from chroniker_celery.importing.beat_tables import BeatRows, Task
from chroniker_celery.task_call import TASK_COMMAND_NAME, sends_task


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The time and the options of the import."""

    now: dt.datetime
    #: Names of the tasks that this project can run.
    known_tasks: Collection[str]
    #: Whether to send all tasks.
    send_all: bool = False


def make_import_candidates(beat: BeatRows, options: ImportOptions) -> list[ImportCandidate]:
    return [make_import_candidate(task, beat, options, f"django-celery-beat:{task.name}") for task in beat.tasks]


def make_import_candidate(task: Task, beat: BeatRows, options: ImportOptions, origin: str) -> ImportCandidate:
    """The job for one task; ``beat`` has its schedule."""
    try:
        rule = convert_schedule(task, beat, options.now)
        args, notes = _make_arguments(task, options)
    except ImportRefused as refusal:
        return ImportCandidate(origin, Job(name=task.name), task.task, refusal=str(refusal))
    job = _make_job(task, rule, args)
    instants = [moment for moment in rule.instants if task.expires is None or moment < task.expires]
    found = ImportCandidate(origin, job, f"{rule.original_text}, task {task.task}", differences=notes)
    found.instants_there = instants if task.enabled else []
    if task.one_off:
        _limit_job_to_single_run(task, job, found)
    if task.enabled and task.expires and task.expires <= options.now:
        job.enabled = False
        notes.append(_("It has expired there: it is disabled here."))
    if task.description:
        notes.append(_("Its description is not imported: %(text)s") % {"text": task.description})
    return found


def _make_job(task: Task, rule: ConvertedSchedule, args: str) -> Job:
    sends = sends_task(shlex.split(args))
    job = Job(
        name=task.name,
        command=TASK_COMMAND_NAME,
        args=args,
        enabled=task.enabled,
        queue="" if sends else task.queue or "",
        priority=None if sends else task.priority,
        start_deadline_seconds=task.expire_seconds or None,
        **rule.fields,
    )
    if task.expires:  # the expiry time itself is excluded
        job.ends_at = task.expires - dt.timedelta(microseconds=1)
    return job


def _limit_job_to_single_run(task: Task, job: Job, candidate: ImportCandidate) -> None:
    """A one-off task runs once, at its next instant."""
    candidate.instants_there = candidate.instants_there[:1]
    if task.total_run_count:
        job.enabled = False
        candidate.instants_there = []
        candidate.differences.append(_("It was a one-off task and has run: it is disabled here."))
    elif job.frequency != Frequency.ONCE and candidate.instants_there:
        job.frequency, job.run_at = Frequency.ONCE, candidate.instants_there[0]
        job.cron = job.params = ""
        job.starts_at = None


def _make_arguments(task: Task, options: ImportOptions) -> tuple[str, list[str]]:
    """The arguments of the job's command, and notes about them."""
    words, notes = [task.task], []
    for option, text, kind in (("--args", task.args, list), ("--kwargs", task.kwargs, dict)):
        if value := _parse_json(option, text, kind):
            words += [option, json.dumps(value, ensure_ascii=False)]
    routed: dict[str, str | int | None] = {"--exchange": task.exchange, "--routing-key": task.routing_key}
    headers = _parse_json("headers", task.headers or "{}", dict)
    is_known = task.task in options.known_tasks
    if options.send_all or not is_known or headers or any(routed.values()):
        words.append("--send")
        routed |= {"--queue": task.queue, "--headers": json.dumps(headers) if headers else None}
        routed |= {"--priority": task.priority, "--expires": task.expire_seconds}
        words += [f"{option}={value}" for option, value in routed.items() if value not in (None, "")]
        if not is_known:
            notes.append(_("This project has no task of that name, so the job sends it to another worker."))
        notes.append(_("The job sends the task. Its run ends when the task is sent."))
    return shlex.join(words), notes


def _parse_json(name: str, text: str, kind: type) -> object:
    try:
        value = json.loads(text or "null") or kind()
    except ValueError as error:
        raise ImportRefused(_("Its %(what)s are not JSON: %(text)s") % {"what": name, "text": text}) from error
    if not isinstance(value, kind):
        raise ImportRefused(_("Its %(what)s have the wrong type: %(text)s") % {"what": name, "text": text})
    return value
