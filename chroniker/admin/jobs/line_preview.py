"""The command line in the preview of an edit: with the values of its placeholders for the next scheduled time."""

from __future__ import annotations

import datetime as dt
import shlex
from dataclasses import dataclass

from chroniker.exceptions import CommandRefused
from chroniker.insights.planned_start import planned_start_of_instant
from chroniker.job_commands import placeholders
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.models import Job, JobState


@dataclass(frozen=True, slots=True)
class LinePreview:
    line: str = ""  #: empty: it has no placeholders, or cannot be filled in
    problem: str = ""
    warnings: tuple[str, ...] = ()  #: words that are nearly placeholders


def line_preview(job: Job, state: JobState | None, instant: dt.datetime | None) -> LinePreview:
    """For the run for ``instant``. Nothing for a line without braces."""
    texts = (job.args, job.raw_command, job.environment)
    if not any("{{" in text for text in texts):
        return LinePreview()
    warnings = tuple(placeholders.warnings(*texts))
    try:
        if instant is None or not any(placeholders.extract(text)[1] for text in texts):
            return LinePreview(warnings=warnings)
        argv = planned_start_of_instant(job, state or JobState(job_id=job.pk), instant).argv
    except CommandRefused as refusal:
        return LinePreview(problem=str(refusal), warnings=warnings)
    program = "" if job.raw_command else "manage.py "
    return LinePreview(mask_secrets(program + shlex.join(argv), job.secrets), warnings=warnings)
