"""Saves imported jobs in one transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db import connections, transaction
from django.utils.translation import gettext as _

from chroniker import lifecycle
from chroniker.conf import settings
from chroniker.importing.candidate import ImportCandidate, ImportedDependency, ImportOutcome
from chroniker.job_commands import placeholders
from chroniker.models import Action, AuditEntry, Job, JobDependency

#: A job with an invalid value in one of these fields is imported, but disabled.
FIELDS_FIXABLE_AFTER_IMPORT = frozenset(
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
    candidates: Sequence[ImportCandidate],
    dependencies: Sequence[ImportedDependency] = (),
    *,
    by: str | None,
    dry_run: bool = False,
    disabled: bool = False,
) -> None:
    """Save the candidates as jobs in one transaction, and set the outcome of each.

    A job that was imported before stays unchanged, even if it was renamed. A candidate with the name of another job is
    refused; the others are imported. ``by``: the actor of their audit entries; ``None``: the caller writes the entries.
    ``dry_run`` sets the outcomes and writes nothing. ``disabled`` imports all jobs disabled.
    """
    with transaction.atomic(using=settings.database):
        _match_existing_jobs(candidates)
        for candidate in candidates:
            if candidate.outcome is ImportOutcome.WOULD_BE_IMPORTED:
                _validate_candidate(candidate, disabled)
        if not dry_run:
            new = [each for each in candidates if each.outcome is ImportOutcome.WOULD_BE_IMPORTED]
            _save_new_jobs(new, dependencies)
            if by is not None:
                AuditEntry.objects.record(by, Action.IMPORTED, [each.job for each in new])


def _match_existing_jobs(candidates: Sequence[ImportCandidate]) -> None:
    here = list(Job.objects.only("name", "origin"))
    imported = {job.origin: job.pk for job in here if job.origin}
    taken = {_comparison_key(job.name) for job in here}
    known = Job.objects.in_bulk([imported[each.origin] for each in candidates if each.origin in imported])
    for candidate in candidates:
        if candidate.origin in imported:
            candidate.job = known[imported[candidate.origin]]
            candidate.outcome = ImportOutcome.IMPORTED_BEFORE
        elif not candidate.refusal and _comparison_key(candidate.job.name) in taken:
            candidate.refusal = _("Another job already has this name. Rename one of the two.")
        elif not candidate.refusal:
            candidate.outcome = ImportOutcome.WOULD_BE_IMPORTED
            taken.add(_comparison_key(candidate.job.name))


def _comparison_key(name: str) -> str:
    """The name as the unique key of the database compares it. MariaDB and MySQL ignore case and trailing spaces."""
    return name.casefold().rstrip() if connections[settings.database].vendor == "mysql" else name


def _validate_candidate(candidate: ImportCandidate, disabled: bool) -> None:
    """Validate like the form. A job whose errors can be fixed later is imported disabled; otherwise it is refused."""
    job = candidate.job
    for name in ("args", "raw_command", "environment"):  # they have no placeholders in the other scheduler
        setattr(job, name, placeholders.escape(getattr(job, name)))
    if disabled:
        job.enabled = False
    try:
        job.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        reasons = " ".join(error.messages)
        too_long = any(each.code == "max_length" for errors in error.error_dict.values() for each in errors)
        if too_long or error.error_dict.keys() - FIELDS_FIXABLE_AFTER_IMPORT:
            candidate.outcome, candidate.refusal = ImportOutcome.REFUSED, reasons
            return
        job.enabled = False
        candidate.differences.append(_("It is disabled here until this is fixed: %(reasons)s") % {"reasons": reasons})


def _save_new_jobs(candidates: Sequence[ImportCandidate], dependencies: Sequence[ImportedDependency]) -> None:
    new = set()
    for candidate in candidates:
        job = candidate.job
        job.origin = candidate.origin
        job.save(force_insert=True)
        job.subscribers.set(candidate.subscriber_ids)
        history, run_count = candidate.history, candidate.history.importable_run_count
        lifecycle.create_state_with_reserved_tokens(job.pk, run_count, history.last_status, history.last_finished_at)
        if candidate.due_since and job.enabled:  # its timeline begins before the missed run, so the next tick starts it
            before = candidate.due_since - dt.timedelta(seconds=1)
            Job.objects.filter(pk=job.pk).update(edited_at=before)
        candidate.outcome = ImportOutcome.IMPORTED
        new.add(job.pk)
    # Dependencies are imported with a new dependent only: a dependency that was deleted here does not come back.
    JobDependency.objects.bulk_create(
        [wait.to_job_dependency() for wait in dependencies if wait.dependent.job.pk in new and wait.dependee.job.pk]
    )
