"""The command line in the preview of an edit: its placeholders have their values for the next scheduled time."""

from __future__ import annotations

import datetime as dt
import shlex
from dataclasses import dataclass

from chroniker.exceptions import CommandRefused
from chroniker.insights.planned_start import plan_scheduled_start
from chroniker.job_commands import placeholders
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.models import Job, JobState


@dataclass(frozen=True, slots=True)
class CommandLinePreview:
    line: str = ""  #: empty without placeholders, or if they have no values
    problem: str = ""
    warnings: tuple[str, ...] = ()  #: words that are nearly placeholders


def preview_command_line(job: Job, state: JobState | None, instant: dt.datetime | None) -> CommandLinePreview:
    """The command line of the run for ``instant``; empty for a command line without placeholders."""
    texts = (job.args, job.raw_command, job.environment)
    if not any("{{" in text for text in texts):
        return CommandLinePreview()
    warnings = tuple(placeholders.placeholder_warnings(*texts))
    try:
        if instant is None or not any(placeholders.extract_placeholders(text)[1] for text in texts):
            return CommandLinePreview(warnings=warnings)
        argv = plan_scheduled_start(job, state or JobState(job_id=job.pk), instant).argv
    except CommandRefused as refusal:
        return CommandLinePreview(problem=str(refusal), warnings=warnings)
    program = "" if job.raw_command else "manage.py "
    return CommandLinePreview(mask_secrets(program + shlex.join(argv), job.secrets), warnings=warnings)
