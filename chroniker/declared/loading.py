"""From a declaration to the job it means, or to what is wrong with it. Asks no database."""

from __future__ import annotations

import datetime as dt
import difflib
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.timezone import is_naive

from chroniker.declared.declaration import JobFields
from chroniker.declared.discovery import LocatedDeclaration, Problem, discover
from chroniker.models import Job
from chroniker.models.schedule_fields import TIMELINE_FIELDS

#: What it runs and when belongs to the declaration as a whole: what is not named there has its default.
WHAT_AND_WHEN = TIMELINE_FIELDS - {"enabled"} | {"command", "args", "raw_command"}
#: Declared by name; the rows are looked up when the job is written.
RELATED = ("group", "calendar")
DECLARABLE = frozenset(JobFields.__annotations__)

_ELSEWHERE = {
    "subscribers": "People are not declared; let them subscribe in the admin.",
    "managed_by": "That is where the declaration is; it is filled in.",
}


@dataclass(frozen=True, slots=True)
class DeclaredJob:
    """One sound declaration."""

    where: str
    job: Job  #: unsaved, with all it declares but what is related to it
    fields: frozenset[str]  #: what it decides: ``WHAT_AND_WHEN``, and what it names
    related: Mapping[str, str | None]
    after: tuple[str, ...] | None

    @property
    def name(self) -> str:
        return self.job.name


def load_declared_jobs() -> tuple[list[DeclaredJob], list[Problem]]:
    """Every declaration of this process's apps, and all that is wrong with them."""
    found = discover()
    declared, problems = [], list(found.problems)
    places: dict[str, LocatedDeclaration] = {}
    for placed in found.placed:
        one, wrong = _read(placed)
        if one is not None and (first := places.setdefault(one.name, placed)) is not placed:
            wrong = [Problem(str(placed), "name", f"“{one.name}” is declared in {first} too. Give each a name.")]
        problems += wrong
        if one is not None and not wrong:
            declared.append(one)
    return declared, [*problems, *_circles(declared, places)]


def decided_fields(job: Job) -> frozenset[str]:
    """What the declaration of this job decides, ``after`` included, as far as this process's code has it.

    A process of another release may not: then what the job runs and when, which every declaration decides.
    """
    for placed in discover().placed:
        if (placed.where, placed.name) == (job.managed_by, job.name):
            return frozenset((WHAT_AND_WHEN | placed.declaration.fields.keys()) - {"name", "enabled"})
    return WHAT_AND_WHEN


def find_cycle(after: Mapping[str, Collection[str]]) -> list[str]:
    """Names of jobs that would wait for each other for ever, the first one again at the end; empty: none."""
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found[::-1]
    return []


def _circles(declared: list[DeclaredJob], places: Mapping[str, LocatedDeclaration]) -> Iterator[Problem]:
    if found := find_cycle({one.name: one.after or () for one in declared}):
        path = " → ".join(f"“{name}”" for name in found)
        yield Problem(str(places[found[0]]), "after", f"this is a circle, in which all wait for ever: {path}.")


def _read(placed: LocatedDeclaration) -> tuple[DeclaredJob | None, list[Problem]]:
    fields = dict(placed.declaration.fields)
    wrong = dict(_unfit(placed, fields))
    after = fields.pop("after", None)
    related = {name: fields.pop(name) for name in RELATED if name in fields}
    if placed.command:
        fields["command"] = placed.command
    fields.setdefault("name", placed.name)
    if isinstance(fields.get("args"), list | tuple):
        fields["args"] = shlex.join(map(str, fields["args"]))
    job = None
    if not wrong:
        job = Job(**fields, managed_by=placed.where)
        wrong = _invalid(job)
    if wrong or job is None:
        return None, [Problem(str(placed), field, message) for field, message in wrong.items()]
    decided = (WHAT_AND_WHEN | fields.keys()) - {"name", "enabled"}
    return DeclaredJob(placed.where, job, frozenset(decided), related, None if after is None else tuple(after)), []


def _unfit(placed: LocatedDeclaration, fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a job's own validation would not say."""
    for name in fields.keys() - DECLARABLE:
        near = difflib.get_close_matches(name, DECLARABLE, n=1)
        hint = f" Did you mean {near[0]}?" if near else f" There are: {', '.join(sorted(DECLARABLE))}."
        yield name, _ELSEWHERE.get(name, f"a job has no such field that can be declared.{hint}")
    if placed.command and "command" in fields:
        yield "command", f"the decorated class is the command “{placed.command}”; leave this out."
    for name in RELATED:
        if not isinstance(fields.get(name), str | None) or fields.get(name) == "":
            yield name, f"give its name as text, or None; it is {fields[name]!r}."
    after = fields.get("after")
    if after is not None and not _are_names(after):
        yield "after", f'give a list of names of jobs: ["import orders"]; it is {after!r}.'
    if "name" not in fields and not placed.command and not fields.get("command"):
        yield "name", "give a name."


def _are_names(value: object) -> bool:
    return isinstance(value, list | tuple | set | frozenset) and all(isinstance(each, str) for each in value)


def _invalid(job: Job) -> dict[str, str]:
    try:
        job.clean_fields(exclude=RELATED)
        if without_zone := _naive(job):
            return without_zone
        job.clean()
    except ValidationError as error:
        return {field: " ".join(messages) for field, messages in error.message_dict.items()}
    except (TypeError, ValueError) as error:  # a value of a type that nobody would get from a form
        return {"": f"{type(error).__name__}: {error}"}
    return {}


def _naive(job: Job) -> dict[str, str]:
    return {
        name: f"{moment} has no time zone. Give it one: tzinfo=ZoneInfo({job.timezone!r})."
        for name in ("run_at", "starts_at", "ends_at")
        if isinstance(moment := getattr(job, name), dt.datetime) and is_naive(moment)
    }
