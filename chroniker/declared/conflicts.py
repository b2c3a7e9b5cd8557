"""Declarations that are sound by themselves, and cannot be brought into this database. Each concerns its job alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from chroniker.declared.loading import DeclaredJob, find_cycle
from chroniker.declared.stored_jobs import StoredJobs


def refusals(declared: Sequence[DeclaredJob], rows: StoredJobs, *, adopt: bool) -> dict[str, str]:
    """Name of the job -> why it is left as it is."""
    refused = {one.name: reason for one in declared if (reason := _refusal(one, rows, adopt))}
    _without_dependee(declared, rows, refused)
    _in_circles(declared, rows, refused)
    _without_dependee(declared, rows, refused)
    return refused


def _refusal(one: DeclaredJob, rows: StoredJobs, adopt: bool) -> str:
    job = rows.jobs.get(one.name)
    if job is not None and not job.managed_by and not adopt:
        return "people made a job of this name; --adopt takes it over"
    calendar = one.related.get("calendar")
    if calendar is not None and calendar not in rows.calendars:
        return f"there is no calendar “{calendar}”; add it in the admin"
    return ""


def _without_dependee(declared: Sequence[DeclaredJob], rows: StoredJobs, refused: dict[str, str]) -> None:
    """A job that would wait for one that does not exist would not wait at all. Nor may it wait for one refused now."""
    before = -1
    while len(refused) != before:
        before = len(refused)
        there = {*rows.jobs, *(one.name for one in declared if one.name not in refused)}
        for one in declared:
            if missing := sorted(set(one.after or ()) - there):
                refused.setdefault(one.name, f"it is to wait for “{missing[0]}”, which does not exist")


def _in_circles(declared: Sequence[DeclaredJob], rows: StoredJobs, refused: dict[str, str]) -> None:
    """Refuse what would close a circle with the dependencies that people made."""
    edges: dict[str, Collection[str]] = {name: set(dependees) for name, dependees in rows.edges.items()}
    decided = {one.name: one.after for one in declared if one.after is not None and one.name not in refused}
    edges |= decided
    while found := find_cycle(edges):
        path = " → ".join(f"“{name}”" for name in found)
        ours = [name for name in found[1:] if name in decided]
        for name in ours:
            refused.setdefault(name, f"this is a circle, in which all wait for ever: {path}")
            edges[name] = set(rows.edges.get(name, ()))
            del decided[name]
        if not ours:  # people closed this one; look for others
            edges[found[0]] = set(edges[found[0]]) - {found[1]}
