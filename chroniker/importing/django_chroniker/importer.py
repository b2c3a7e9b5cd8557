"""Imports jobs, dependencies, subscribers and logs of django-chroniker."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from chroniker.importing.candidate import ImportCandidate, ImportedDependency, ImportOutcome
from chroniker.importing.django_chroniker import logs
from chroniker.importing.django_chroniker.jobs import ImportOptions, candidates_of_jobs
from chroniker.importing.django_chroniker.source import OldDataSource
from chroniker.importing.django_chroniker.tables import OldDependency
from chroniker.importing.saving import save_candidates


def import_jobs(
    source: OldDataSource, options: ImportOptions, *, by: str, dry_run: bool = False, disabled: bool = False
) -> dict[int, ImportCandidate]:
    """Import all jobs with their subscribers and dependencies, or none. Returns them by their old ids."""
    log_counts = {old.pk: logs.count_logs_to_keep(old, source.log_counts_by_job_id[old.pk]) for old in source.jobs}
    found = candidates_of_jobs(source.jobs, options, log_counts)
    for pk, candidate in found.items():
        candidate.subscriber_ids = source.subscriber_ids_by_job_id.get(pk, [])
    dependencies = [new for old in source.dependencies if (new := _imported_dependency(old, found))]
    save_candidates(list(found.values()), dependencies, by=by, dry_run=dry_run, disabled=disabled)
    return found


def _imported_dependency(row: OldDependency, candidates_by_id: dict[int, ImportCandidate]) -> ImportedDependency | None:
    dependent, dependee = candidates_by_id.get(row.dependent), candidates_by_id.get(row.dependee)
    if dependent is None or dependee is None or dependent is dependee:
        return None
    names = ("wait_for_completion", "wait_for_success", "wait_for_next_run")
    return ImportedDependency(dependent, dependee, {name: getattr(row, name) for name in names})


def import_logs(
    source: OldDataSource, candidates_by_id: dict[int, ImportCandidate]
) -> Iterator[tuple[ImportCandidate, int]]:
    """Import the logs of imported jobs. Yields the number of runs after each batch."""
    for old in source.jobs:
        candidate, log_count = candidates_by_id[old.pk], source.log_counts_by_job_id[old.pk]
        if candidate.outcome in (ImportOutcome.IMPORTED, ImportOutcome.IMPORTED_BEFORE) and log_count:
            for number in logs.import_logs_of_job(source, old, candidate.job):
                yield candidate, number


def omission_notes(source: OldDataSource) -> list[str]:
    """Notes about subscribers and logs that were not imported."""
    counts = source.log_counts_by_job_id
    older = sum(counts[old.pk] - logs.count_logs_to_keep(old, counts[old.pk]) for old in source.jobs)
    notes = list(source.notes)
    if older:
        notes.append(_("Logs not imported (more than maximum_log_entries of their job): %(n)d.") % {"n": older})
    return notes
