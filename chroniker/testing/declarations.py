"""Validates the jobs that the installed apps declare, and finds a job by name for a test."""

from __future__ import annotations

from chroniker.declared.declaration import Declaration
from chroniker.declared.discovery import discover_declarations
from chroniker.declared.loading import load_declared_jobs
from chroniker.declared.sync import sync_declared_jobs
from chroniker.models import Job

ACTOR_NAME = "chroniker.testing"


def assert_declarations_valid() -> None:
    """Raise ``AssertionError`` if a job declared in code is not valid; the message has one line for each problem.

    The same validation as the system check ``chroniker.E020``. Does not query the database, so that names of calendars
    are not checked.
    """
    problems = load_declared_jobs()[1]
    if problems:
        raise AssertionError("\n".join(map(str, problems)))


def find_job(job: Job | Declaration | str) -> Job:
    """The job with this name or from this declaration. If the database has none, all declared jobs are written first.

    Raises ``LookupError`` if there is no such job.
    """
    if isinstance(job, Job):
        return job
    name = job if isinstance(job, str) else _job_name_of_declaration(job)
    found = Job.objects.filter(name=name).first()
    if found is None:
        assert_declarations_valid()
        sync_declared_jobs(load_declared_jobs()[0], by=ACTOR_NAME)
        found = Job.objects.filter(name=name).first()
    if found is None:
        known = ", ".join(Job.objects.order_by("name").values_list("name", flat=True)[:20]) or "none"
        raise LookupError(f"There is no job “{name}”. The jobs are: {known}.")
    return found


def _job_name_of_declaration(declaration: Declaration) -> str:
    """The declared name, or that of the decorated command."""
    for located in discover_declarations().located:
        if located.declaration is declaration:
            return located.name
    return str(declaration.fields.get("name") or declaration.fields.get("command", ""))
