"""Writes the declaration of a stored job as Python source. ``sync_jobs`` reads the same fields from it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from chroniker.declared.loading import DECLARABLE_FIELDS, FIELDS_DECLARED_BY_ROW_NAME
from chroniker.job_commands import hand_over
from chroniker.models import Job

INDENT = "    "
#: Written even where the value is the default, because another project has another default.
ALWAYS_WRITTEN_FIELDS = ("timezone",)
NO_TRIGGERS: Mapping[str, str] = MappingProxyType({})


def decorator_source(job: Job, after: Sequence[str] = (), triggered_by: Mapping[str, str] = NO_TRIGGERS) -> str:
    """``@job(…)`` for the class of the job's management command. Empty for a raw command, which has no class."""
    if not job.command:
        return ""
    call = _job_call_source("@job", _fields_to_write(job, after, triggered_by, without=("command",)))
    command = f"class Command(BaseCommand): ...  # the command “{_one_line(job.command)}”"
    return f"{_make_import_lines(call)}\n{_comment_on_untracked_work(job)}{call}\n{command}\n"


def module_source(job: Job, after: Sequence[str] = (), triggered_by: Mapping[str, str] = NO_TRIGGERS) -> str:
    """The source of a ``jobs`` module that declares this job."""
    call = _job_call_source("job", _fields_to_write(job, after, triggered_by))
    return f"{_make_import_lines(call)}\n{_comment_on_untracked_work(job)}declared = {call}\n"


def module_source_of_jobs(jobs: Iterable[tuple[Job, Sequence[str], Mapping[str, str]]]) -> str:
    """The source of a ``jobs`` module that declares all these jobs, each with the names of the jobs it waits for, and
    of those that start it."""
    calls = [(_comment_on_untracked_work(each[0]), _job_call_source("job", _fields_to_write(*each))) for each in jobs]
    named = "\n".join(f"{remark}job_{number} = {call}\n" for number, (remark, call) in enumerate(calls, start=1))
    return f"{_make_import_lines(named)}\n{named}"


def _fields_to_write(
    job: Job, after: Sequence[str], triggered_by: Mapping[str, str], without: Sequence[str] = ()
) -> Iterator[tuple[str, Any]]:
    """The declarable fields that differ from the defaults, in the order of the model's fields."""
    for field in Job._meta.concrete_fields:
        if field.name not in DECLARABLE_FIELDS or field.name in without:
            continue
        if field.name in FIELDS_DECLARED_BY_ROW_NAME:
            related = getattr(job, field.name)
            if related is not None:
                yield field.name, related.name
        else:
            value = getattr(job, field.name)
            if field.name in ALWAYS_WRITTEN_FIELDS or value != field.get_default():
                yield field.name, _convert_to_zone(value, job.timezone)
    if after:
        yield "after", list(after)
    if triggered_by:
        yield "triggered_by", dict(triggered_by)
    if job.pk and (channels := [channel.name for channel in job.channels.all()]):
        yield "channels", channels
    if job.pk and (tags := [tag.name for tag in job.tags.all()]):
        yield "tags", tags


def _convert_to_zone(value: Any, zone: str) -> Any:
    """A time in the time zone of the job. It is in UTC if that zone is unknown, or has this local time twice.

    In Python a repeated local time is unequal to each time of another zone, so each sync would find a change.
    """
    if not isinstance(value, dt.datetime):
        return value
    try:
        local = value.astimezone(ZoneInfo(zone))
    except (KeyError, ValueError, OSError, OverflowError):  # a stored job may have an invalid zone
        return value.astimezone(dt.UTC)
    return local if local.replace(fold=1 - local.fold).utcoffset() == local.utcoffset() else value.astimezone(dt.UTC)


def _job_call_source(function: str, fields: Iterator[tuple[str, Any]]) -> str:
    lines = [f"{INDENT}{name}={_python_literal(value)},\n" for name, value in fields]
    return f"{function}(\n{''.join(lines)})"


def _comment_on_untracked_work(job: Job) -> str:
    """A comment for a job that only hands work over; empty for any other."""
    is_work_handed_over = hand_over.is_work_handed_over(job.command, job.args)
    return (
        "# Work handed over, its result is not tracked: its runs succeed when the work was sent.\n"
        if is_work_handed_over
        else ""
    )


def _make_import_lines(call: str) -> str:
    """The imports that the call needs."""
    lines = ["import datetime as dt"] if "dt.datetime(" in call else []
    lines += ["from zoneinfo import ZoneInfo"] if "ZoneInfo(" in call else []
    lines = [*lines, ""] if lines else []
    lines += ["from django.core.management.base import BaseCommand", ""] if call.startswith("@") else []
    return "\n".join([*lines, "from chroniker import job", ""])


def _python_literal(value: Any) -> str:
    """An expression for the value, with double quotes where the text allows them."""
    if isinstance(value, dt.datetime):
        return _time_literal(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_python_literal, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_python_literal(key)}: {_python_literal(each)}' for key, each in value.items())}}}"
    if isinstance(value, str):
        plain = repr(str(value))  # also for a member of an enumeration
        return f'"{plain[1:-1]}"' if plain[0] == "'" and '"' not in plain else plain
    return repr(value)


def _time_literal(value: dt.datetime) -> str:
    numbers = [value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond]
    while len(numbers) > 5 and not numbers[-1]:
        numbers.pop()
    zone = f"ZoneInfo({_python_literal(value.tzinfo.key)})" if isinstance(value.tzinfo, ZoneInfo) else "dt.UTC"
    return f"dt.datetime({', '.join(map(str, numbers))}, tzinfo={zone})"


def _one_line(text: str) -> str:
    """One line, so that the text cannot leave its comment."""
    return " ".join(text.split())
