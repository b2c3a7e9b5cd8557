"""Converts declarations to unsaved jobs, and validates them. Does not query the database."""

from __future__ import annotations

import datetime as dt
import difflib
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.timezone import is_naive

from chroniker.declared.declaration import JobFields
from chroniker.declared.discovery import DeclarationProblem, LocatedDeclaration, discover_declarations
from chroniker.models import Job, TriggerOn
from chroniker.models.schedule_fields import TIMELINE_FIELDS
from chroniker.models.tag import validate_tags

#: Command and schedule always belong to the declaration. A field that is not declared has its default.
ALWAYS_DECLARED_FIELDS = TIMELINE_FIELDS - {"enabled"} | {"command", "args", "raw_command"}
#: Fields that are declared by the name of a row. The rows are read when the job is saved.
FIELDS_DECLARED_BY_ROW_NAME = ("group", "calendar")
#: Lists of names: of other jobs, of channels, and of tags.
LIST_FIELD_EXAMPLES = {"after": '["import orders"]', "channels": '["ops"]', "tags": '["nightly"]'}
DECLARABLE_FIELDS = frozenset(JobFields.__annotations__)

_UNDECLARABLE_FIELD_HINTS = {
    "subscribers": "Subscribers cannot be declared; add them in the admin.",
    "managed_by": "It is set to the place of the declaration.",
}


@dataclass(frozen=True, slots=True)
class DeclaredJob:
    """One valid declaration."""

    dotted_path: str
    job: Job  #: not saved, without its group and calendar
    fields: frozenset[str]  #: the fields that belong to the declaration
    related_row_names: Mapping[str, str | None]
    after: tuple[str, ...] | None = None
    triggered_by: Mapping[str, str] | None = None  #: by the name of the job that starts it: on which result
    channels: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        return self.job.name

    @property
    def upstream_job_names(self) -> set[str]:
        """The names of the jobs that it waits for, and of those that start it."""
        return {*(self.after or ()), *(self.triggered_by or ())}


def load_declared_jobs() -> tuple[list[DeclaredJob], list[DeclarationProblem]]:
    """All valid declarations of the installed apps, and the errors in the others."""
    found = discover_declarations()
    declared, problems = [], list(found.problems)
    places: dict[str, LocatedDeclaration] = {}
    for located in found.located:
        one, errors = _load_declaration(located)
        if one is not None and (first := places.setdefault(one.name, located)) is not located:
            errors = [
                DeclarationProblem(
                    str(located), "name", f"“{one.name}” is also declared in {first}. Use different names."
                )
            ]
        problems += errors
        if one is not None and not errors:
            declared.append(one)
    return declared, [*problems, *_find_cycles(declared, places)]


def find_declared_fields(job: Job) -> frozenset[str]:
    """The fields that belong to the declaration of this job, ``after`` and ``triggered_by`` included.

    If this process's code does not contain the declaration, as in another release: ``ALWAYS_DECLARED_FIELDS``.
    """
    located = find_declaration_of_job(job)
    if located is None:
        return ALWAYS_DECLARED_FIELDS
    return frozenset((ALWAYS_DECLARED_FIELDS | located.declaration.fields.keys()) - {"name", "enabled"})


def find_declaration_of_job(job: Job) -> LocatedDeclaration | None:
    """The declaration of this job, with its file and line; ``None`` if this process's code does not contain it."""
    wanted = job.managed_by, job.name
    found = (each for each in discover_declarations().located if (each.dotted_path, each.name) == wanted)
    return next(found, None)


def find_cycle(after: Mapping[str, Collection[str]]) -> list[str]:
    """The names of jobs that depend on each other; the first one is repeated at the end. Empty if there is no cycle."""
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found[::-1]
    return []


def _find_cycles(declared: list[DeclaredJob], places: Mapping[str, LocatedDeclaration]) -> Iterator[DeclarationProblem]:
    if found := find_cycle({one.name: one.upstream_job_names for one in declared}):
        path = " → ".join(f"“{name}”" for name in found)
        yield DeclarationProblem(str(places[found[0]]), "after", f"the dependencies form a cycle: {path}.")


def _load_declaration(located: LocatedDeclaration) -> tuple[DeclaredJob | None, list[DeclarationProblem]]:
    fields = dict(located.declaration.fields)
    errors = dict(_field_errors(located, fields))
    names = {name: fields.pop(name, None) for name in LIST_FIELD_EXAMPLES}
    triggered_by = fields.pop("triggered_by", None)
    row_names = {name: fields.pop(name) for name in FIELDS_DECLARED_BY_ROW_NAME if name in fields}
    if located.command:
        fields["command"] = located.command
    fields.setdefault("name", located.name)
    if isinstance(fields.get("args"), list | tuple):
        fields["args"] = shlex.join(map(str, fields["args"]))
    job = None
    if not errors:
        job = Job(**fields, managed_by=located.dotted_path)
        errors = _validation_errors(job)
    if errors or job is None:
        return None, [DeclarationProblem(str(located), field, message) for field, message in errors.items()]
    decided = (ALWAYS_DECLARED_FIELDS | fields.keys()) - {"name", "enabled"}
    lists = {each: None if value is None else tuple(value) for each, value in names.items()}
    if lists["tags"] is not None:
        lists["tags"] = validate_tags(lists["tags"])
    return DeclaredJob(located.dotted_path, job, frozenset(decided), row_names, triggered_by=triggered_by, **lists), []


def _field_errors(located: LocatedDeclaration, fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Errors that the validation of the model does not find."""
    for name in fields.keys() - DECLARABLE_FIELDS:
        near = difflib.get_close_matches(name, DECLARABLE_FIELDS, n=1)
        hint = f" Did you mean {near[0]}?" if near else f" The fields are: {', '.join(sorted(DECLARABLE_FIELDS))}."
        yield name, _UNDECLARABLE_FIELD_HINTS.get(name, f"no such field can be declared.{hint}")
    if located.command and "command" in fields:
        yield "command", f"the decorated class is the command “{located.command}”; remove this field."
    for name in FIELDS_DECLARED_BY_ROW_NAME:
        if not isinstance(fields.get(name), str | None) or fields.get(name) == "":
            yield name, f"must be a name or None, not {fields[name]!r}."
    for name, example in LIST_FIELD_EXAMPLES.items():
        names = fields.get(name)
        if names is not None and not _is_list_of_names(names):
            yield name, f"must be a list of names, like {example}, not {names!r}."
        elif name == "tags" and names is not None:
            yield from _find_tag_name_errors(names)
    triggered_by = fields.get("triggered_by")
    if triggered_by is not None and not _is_mapping_of_triggers(triggered_by):
        results = ", ".join(TriggerOn.values)
        yield "triggered_by", f'must be like {{"import orders": "SUCCEEDED"}} ({results}), not {triggered_by!r}.'
    if "name" not in fields and not located.command and not fields.get("command"):
        yield "name", "is missing."


def _find_tag_name_errors(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    try:
        validate_tags(names)
    except ValidationError as error:
        yield "tags", " ".join(error.messages)


def _is_list_of_names(value: object) -> bool:
    return isinstance(value, list | tuple | set | frozenset) and all(isinstance(each, str) for each in value)


def _is_mapping_of_triggers(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and isinstance(on, str) and on in TriggerOn.values for name, on in value.items()
    )


def _validation_errors(job: Job) -> dict[str, str]:
    try:
        job.clean_fields(exclude=FIELDS_DECLARED_BY_ROW_NAME)
        if naive := _naive_datetime_errors(job):
            return naive
        job.clean()
    except ValidationError as error:
        return {field: " ".join(messages) for field, messages in error.message_dict.items()}
    except (TypeError, ValueError) as error:  # a type that forms never produce
        return {"": f"{type(error).__name__}: {error}"}
    return {}


def _naive_datetime_errors(job: Job) -> dict[str, str]:
    return {
        name: f"{moment} has no time zone. Add tzinfo=ZoneInfo({job.timezone!r})."
        for name in ("run_at", "starts_at", "ends_at")
        if isinstance(moment := getattr(job, name), dt.datetime) and is_naive(moment)
    }
