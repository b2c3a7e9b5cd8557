"""Finds valid declarations that conflict with the database. Only the jobs in conflict are refused."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from chroniker.declared.loading import DeclaredJob, find_cycle
from chroniker.declared.stored_jobs import StoredJobs


def find_refused_declarations(declared: Sequence[DeclaredJob], stored: StoredJobs, *, adopt: bool) -> dict[str, str]:
    """The names of refused jobs, each with the reason."""
    refused = {one.name: reason for one in declared if (reason := _refusal_reason(one, stored, adopt))}
    _refuse_missing_dependees(declared, stored, refused)
    _refuse_cycles(declared, stored, refused)
    _refuse_missing_dependees(declared, stored, refused)
    return refused


def _refusal_reason(declared_job: DeclaredJob, stored: StoredJobs, adopt: bool) -> str:
    job = stored.jobs.get(declared_job.name)
    if job is not None and not job.managed_by and not adopt:
        return "a job with this name was created by hand; --adopt takes it over"
    calendar = declared_job.related_row_names.get("calendar")
    if calendar is not None and calendar not in stored.calendars:
        return f"there is no calendar “{calendar}”; add it in the admin"
    if missing := sorted(set(declared_job.channels or ()) - stored.channel_ids.keys()):
        return f"there is no channel “{missing[0]}”; add it in the admin"
    return ""


def _refuse_missing_dependees(declared: Sequence[DeclaredJob], stored: StoredJobs, refused: dict[str, str]) -> None:
    """Refuse jobs that depend on a job that does not exist or is refused, until nothing changes."""
    before = -1
    while len(refused) != before:
        before = len(refused)
        existing = {*stored.jobs, *(one.name for one in declared if one.name not in refused)}
        for one in declared:
            if missing := sorted(one.upstream_job_names - existing):
                refused.setdefault(one.name, f"it depends on “{missing[0]}”, which does not exist")


def _names_of_upstream_jobs(declared_job: DeclaredJob, stored: StoredJobs) -> set[str]:
    """The jobs that it comes after: as declared, or as stored if none are declared."""
    after = stored.dependency_ids.get(declared_job.name, ()) if declared_job.after is None else declared_job.after
    triggered_by = (
        stored.triggers.get(declared_job.name, ()) if declared_job.triggered_by is None else declared_job.triggered_by
    )
    return {*after, *triggered_by}


def _refuse_cycles(declared: Sequence[DeclaredJob], stored: StoredJobs, refused: dict[str, str]) -> None:
    """Refuse declared dependencies and triggers that form a cycle, also with those that were created by hand."""
    edges: dict[str, Collection[str]] = {
        name: stored.names_of_upstream_jobs(name) for name in {*stored.dependency_ids, *stored.triggers}
    }
    declared_edges = {one.name: _names_of_upstream_jobs(one, stored) for one in declared if one.name not in refused}
    edges |= declared_edges
    while found := find_cycle(edges):
        path = " → ".join(f"“{name}”" for name in found)
        ours = [name for name in found[1:] if name in declared_edges]
        for name in ours:
            refused.setdefault(name, f"its dependencies form a cycle: {path}")
            edges[name] = stored.names_of_upstream_jobs(name)
            del declared_edges[name]
        if not ours:  # this cycle was created by hand; look for others
            edges[found[0]] = set(edges[found[0]]) - {found[1]}
