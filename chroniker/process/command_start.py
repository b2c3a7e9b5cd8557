"""The start of a management command: the project's own set-up, and the decision whether it needs a new Python.

Django reads settings once, at its start. Options and variables of a job that are read at that time have no effect in a
fork of a process that has already started Django.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

PYTHON_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); from chroniker.process.{module} import main; main()"
)
_SETTINGS_OPTIONS = ("--settings", "--pythonpath")
#: Prefixes of variables that the interpreter and the C library read at their start.
_STARTUP_VARIABLE_PREFIXES = ("PYTHON", "LD_", "MALLOC_", "GLIBC_")

#: Set by the app ``chroniker`` from the setting of this name, and inherited by the processes that run commands.
PROJECT_SETUP_VARIABLE = "CHRONIKER_COMMAND_SETUP"

#: Names that the project's start-up has read from the environment.
_read_at_start: set[str] = set()
_read_all = False
_setup_done = False


class _RecordingEnvironment(os._Environ):  # type: ignore[type-arg]
    """Records the names that are read, also names of variables that do not exist: the start-up may depend on their
    absence."""

    def __getitem__(self, name: str) -> str:
        _read_at_start.add(name)
        value: str = super().__getitem__(name)
        return value

    def __iter__(self) -> Iterator[str]:
        global _read_all
        _read_all = True
        return super().__iter__()


@contextmanager
def record_environment_reads() -> Iterator[None]:
    """Record the variables that the project's start-up in the fork server reads."""
    before = type(os.environ)
    os.environ.__class__ = _RecordingEnvironment
    try:
        yield
    finally:
        os.environ.__class__ = before


def needs_new_python(argv: Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether Django reads an option or a variable of the job at its start. Call it before `env` is applied."""
    if any(_is_read_at_start(name) for name, value in env.items() if os.environ.get(name) != value):
        return True
    return "django" in sys.modules and _has_settings_option(argv)


def _has_settings_option(argv: Sequence[str]) -> bool:
    options = argv[: argv.index("--")] if "--" in argv else argv
    return any(word.partition("=")[0] in _SETTINGS_OPTIONS for word in options)


def _is_read_at_start(name: str) -> bool:
    """Whether the start of Django or of a program reads this variable."""
    return _read_all or name in _read_at_start or name.startswith(_STARTUP_VARIABLE_PREFIXES)


def python_command_line(module: str, *words: object) -> list[str]:
    """The command line of a new Python with this one's `sys.path`, which runs `main` of a module of this package."""
    path = json.dumps([str(Path(entry).absolute()) for entry in sys.path])
    return [sys.executable, "-c", PYTHON_PROGRAM.format(module=module), path, *map(str, words)]


def exec_new_python(title: str, argv: Sequence[str]) -> NoReturn:
    """Run the command in a new Python in this process: same process id, files, limits and parent."""
    words = python_command_line("command_main", title, *argv)
    os.execve(words[0], words, dict(os.environ))  # nosec B606  # our own interpreter


def run_project_setup() -> None:
    """Import the module or call the function that ``PROJECT_SETUP_VARIABLE`` names: ``package.module`` or
    ``package.module:name``.

    Done once for a process and its forks, before Django is set up. Raises the errors of the import or the call.
    """
    global _setup_done
    path = os.environ.get(PROJECT_SETUP_VARIABLE, "")
    if _setup_done or not path:
        return
    _setup_done = True
    module, _colon, name = path.partition(":")
    loaded = importlib.import_module(module)
    if name:
        getattr(loaded, name)()
