"""A declared job, and what ``sync_jobs`` prints about it."""

from __future__ import annotations

from chroniker.models import Job

NIGHT = 'night = chroniker.job(name="night", command="noop", cron="0 3 * * *"{})'


def the_job(name: str = "night") -> Job:
    return Job.objects.get(name=name)


def row(text: str, name: str = "night") -> list[str]:
    """The cells of this job's line in a printed table."""
    [line] = [line for line in text.splitlines() if line.startswith(name + " ")]
    return [cell.strip() for cell in line.split("  ") if cell.strip()]
