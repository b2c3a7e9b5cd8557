"""Finds the declarations in the installed apps.

They are looked for in each app's ``jobs`` module and in the classes of its management commands. Importing every command
of every app would take long, and some have side effects, so a module is imported only if the word ``chroniker``
stands in its source.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from django.apps import apps
from django.core.management import get_commands

from chroniker.declared.declaration import Declaration, declarations_on

WORD = b"chroniker"
#: Apps whose commands declare nothing.
_NOT_SEARCHED = ("django.core", "chroniker", "chroniker_celery")


@dataclass(frozen=True, slots=True)
class LocatedDeclaration:
    """A declaration and its dotted path, which the job keeps as ``managed_by``."""

    declaration: Declaration
    where: str
    command: str = ""  #: of a decorated command: its name

    @property
    def name(self) -> str:
        """Of the job: as declared, or that of the command."""
        fields = self.declaration.fields
        return str(fields.get("name", self.command or fields.get("command", "")))

    def __str__(self) -> str:
        return f"{self.where} ({self.declaration.written_in})"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something is wrong with a declaration, or with a module in which there may be some."""

    where: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.field + ': ' if self.field else ''}{self.message}"


@dataclass(slots=True)
class DiscoveryResult:
    placed: list[LocatedDeclaration] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def discover() -> DiscoveryResult:
    """All declarations of this process's apps, in the order of the apps; and the modules that cannot be imported."""
    found = DiscoveryResult()
    first: dict[int, LocatedDeclaration] = {}  # a declaration may have several names; the first one counts
    for name, command in _module_names():
        try:
            module = _import_if_it_declares(name)
        except Exception as error:  # whatever a module raises when it is imported
            found.problems.append(Problem(name, "", f"it cannot be imported: {type(error).__name__}: {error}"))
            continue
        if module is not None:
            for placed in _in_command(module, command) if command else _in_jobs(module):
                first.setdefault(id(placed.declaration), placed)
    found.placed = list(first.values())
    return found


def _module_names() -> Iterator[tuple[str, str]]:
    """Of modules that may declare jobs, which need not exist, each with the name of its command, if it is one."""
    for config in apps.get_app_configs():
        yield f"{config.name}.jobs", ""
    for command, app in sorted(get_commands().items()):
        if isinstance(app, str) and app not in _NOT_SEARCHED:
            yield f"{app}.management.commands.{command}", command


def _import_if_it_declares(name: str) -> ModuleType | None:
    spec = find_spec(name)
    return import_module(name) if spec is not None and _may_declare(spec) else None


def _may_declare(spec: ModuleSpec) -> bool:
    source = Path(spec.origin) if spec.has_location and spec.origin else None
    if source is None or source.suffix != ".py" or not source.is_file():
        return spec.origin is not None  # compiled, or in an archive: only importing tells; no origin: a bare directory
    return WORD in source.read_bytes()


def _in_command(module: ModuleType, command: str) -> list[LocatedDeclaration]:
    cls = getattr(module, "Command", None)
    declarations = declarations_on(cls) if isinstance(cls, type) else ()
    return [LocatedDeclaration(each, f"{module.__name__}.Command", command) for each in declarations]


def _in_jobs(module: ModuleType) -> list[LocatedDeclaration]:
    """Declarations that have a name in the module, by themselves or in a list."""
    found = []
    for name, value in vars(module).items():
        values = value if isinstance(value, list | tuple) else [value]
        found += [
            LocatedDeclaration(each, f"{module.__name__}.{name}") for each in values if isinstance(each, Declaration)
        ]
    return found
