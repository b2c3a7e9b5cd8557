"""Writing imported jobs: all of them, or none."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db import connections, transaction
from django.utils.translation import gettext as _

from chroniker import lifecycle
from chroniker.conf import settings
from chroniker.importing.candidate import Candidate, ImportedDependency, Outcome
from chroniker.models import Job, JobDependency

#: A job that is wrong in one of these is worth keeping, switched off, for somebody to mend.
MENDABLE = frozenset(
    {
        "command",
        "args",
        "raw_command",
        "environment",
        "working_directory",
        "frequency",
        "cron",
        "params",
        "run_at",
        "starts_at",
        "ends_at",
        "timezone",
        "hostname",
    }
)


def save_candidates(
    candidates: Sequence[Candidate],
    waits: Sequence[ImportedDependency] = (),
    *,
    dry_run: bool = False,
    disabled: bool = False,
) -> None:
    """Save these as jobs, in one transaction, and write into each candidate what became of it.

    One that was imported before is left as it is, whatever it is called by now. One whose name belongs to a job that
    was not imported is refused; the others are not held up by it. ``dry_run`` finds out the same and writes nothing;
    ``disabled`` imports all of them switched off.
    """
    with transaction.atomic(using=settings.database):
        _recognise(candidates)
        for candidate in candidates:
            if candidate.outcome is Outcome.WOULD_BE:
                _settle(candidate, disabled)
        if not dry_run:
            _save([each for each in candidates if each.outcome is Outcome.WOULD_BE], waits)


def _recognise(candidates: Sequence[Candidate]) -> None:
    here = list(Job.objects.only("name", "origin"))
    imported = {job.origin: job.pk for job in here if job.origin}
    taken = {_comparable(job.name) for job in here}
    known = Job.objects.in_bulk([imported[each.origin] for each in candidates if each.origin in imported])
    for candidate in candidates:
        if candidate.origin in imported:
            candidate.job = known[imported[candidate.origin]]
            candidate.outcome = Outcome.ALREADY
        elif not candidate.refusal and _comparable(candidate.job.name) in taken:
            candidate.refusal = _(
                "There is a job of this name here that does not come from there. Rename one of the two."
            )
        elif not candidate.refusal:
            candidate.outcome = Outcome.WOULD_BE
            taken.add(_comparable(candidate.job.name))


def _comparable(name: str) -> str:
    """As the database's unique key compares it: MariaDB and MySQL know no difference between upper and lower case."""
    return name.casefold().rstrip() if connections[settings.database].vendor == "mysql" else name


def _settle(candidate: Candidate, disabled: bool) -> None:
    """Hold the job to the rules of the form. What can be mended is imported switched off, the rest is refused."""
    job = candidate.job
    if disabled:
        job.enabled = False
    try:
        job.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        reasons = " ".join(error.messages)
        too_long = any(each.code == "max_length" for errors in error.error_dict.values() for each in errors)
        if too_long or error.error_dict.keys() - MENDABLE:
            candidate.outcome, candidate.refusal = Outcome.REFUSED, reasons
            return
        job.enabled = False
        candidate.unlike.append(_("It is switched off here until this is mended: %(reasons)s") % {"reasons": reasons})


def _save(candidates: Sequence[Candidate], waits: Sequence[ImportedDependency]) -> None:
    new = set()
    for candidate in candidates:
        job = candidate.job
        job.origin = candidate.origin
        job.save(force_insert=True)
        job.subscribers.set(candidate.subscribers)
        past = candidate.past
        lifecycle.keep_tokens(job.pk, past.runs, past.last_status, past.last_finished_at)
        if candidate.due_since and job.enabled:  # its timeline begins before what it missed, so the next tick runs it
            before = candidate.due_since - dt.timedelta(seconds=1)
            Job.objects.filter(pk=job.pk).update(edited_at=before)
        candidate.outcome = Outcome.IMPORTED
        new.add(job.pk)
    # A dependency is imported with its dependent: one that somebody took away here does not come back.
    JobDependency.objects.bulk_create(
        [wait.row() for wait in waits if wait.dependent.job.pk in new and wait.dependee.job.pk]
    )
