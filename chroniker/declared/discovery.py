"""Finds the declarations in the installed apps: in their ``jobs`` modules and management commands.

Importing every command of every app is slow and may have side effects. So a module is imported only if its source
contains the word ``chroniker``.
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

from chroniker.declared.declaration import Declaration, declarations_of_class
from chroniker.exceptions import FOREIGN_CODE_ERRORS

WORD_IN_DECLARING_MODULES = b"chroniker"
#: Apps whose commands declare no jobs.
_APPS_WITHOUT_DECLARATIONS = ("django.core", "chroniker", "chroniker_celery")


@dataclass(frozen=True, slots=True)
class LocatedDeclaration:
    """A declaration and its dotted path, which is stored in the job as ``managed_by``."""

    declaration: Declaration
    dotted_path: str
    command: str = ""  #: the name of the decorated command

    @property
    def name(self) -> str:
        """The name of the job: the declared one, or that of the command."""
        fields = self.declaration.fields
        return str(fields.get("name", self.command or fields.get("command", "")))

    def __str__(self) -> str:
        return f"{self.dotted_path} ({self.declaration.written_in})"


@dataclass(frozen=True, slots=True)
class DeclarationProblem:
    """An error in a declaration, or in a module that may contain one."""

    location: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.location}: {self.field + ': ' if self.field else ''}{self.message}"


@dataclass(slots=True)
class DiscoveryResult:
    located: list[LocatedDeclaration] = field(default_factory=list)
    problems: list[DeclarationProblem] = field(default_factory=list)


def discover_declarations() -> DiscoveryResult:
    """All declarations of the installed apps, in their order, and the modules that cannot be imported."""
    found = DiscoveryResult()
    first: dict[int, LocatedDeclaration] = {}  # a declaration may be assigned to several names; the first one counts
    for name, command in _names_of_possible_modules():
        try:
            module = _import_if_it_may_declare_jobs(name)
        except FOREIGN_CODE_ERRORS as error:
            found.problems.append(
                DeclarationProblem(name, "", f"it cannot be imported: {type(error).__name__}: {error}")
            )
            continue
        if module is not None:
            for located in (
                _declarations_in_command(module, command) if command else _declarations_in_jobs_module(module)
            ):
                first.setdefault(id(located.declaration), located)
    found.located = list(first.values())
    return found


def _names_of_possible_modules() -> Iterator[tuple[str, str]]:
    """The modules that may declare jobs, existing or not, with the name of the command or an empty string."""
    for config in apps.get_app_configs():
        yield f"{config.name}.jobs", ""
    for command, app in sorted(get_commands().items()):
        if isinstance(app, str) and app not in _APPS_WITHOUT_DECLARATIONS:
            yield f"{app}.management.commands.{command}", command


def _import_if_it_may_declare_jobs(name: str) -> ModuleType | None:
    spec = find_spec(name)
    return import_module(name) if spec is not None and _may_declare_jobs(spec) else None


def _may_declare_jobs(spec: ModuleSpec) -> bool:
    source = Path(spec.origin) if spec.has_location and spec.origin else None
    if source is None or source.suffix != ".py" or not source.is_file():
        return spec.origin is not None  # compiled or in an archive: import it; a directory without code has no origin
    return WORD_IN_DECLARING_MODULES in source.read_bytes()


def _declarations_in_command(module: ModuleType, command: str) -> list[LocatedDeclaration]:
    cls = getattr(module, "Command", None)
    declarations = declarations_of_class(cls) if isinstance(cls, type) else ()
    return [LocatedDeclaration(each, f"{module.__name__}.Command", command) for each in declarations]


def _declarations_in_jobs_module(module: ModuleType) -> list[LocatedDeclaration]:
    """Declarations in variables of the module, directly or in a list."""
    found = []
    for name, value in vars(module).items():
        values = value if isinstance(value, list | tuple) else [value]
        found += [
            LocatedDeclaration(each, f"{module.__name__}.{name}") for each in values if isinstance(each, Declaration)
        ]
    return found
