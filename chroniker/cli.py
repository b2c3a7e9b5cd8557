"""The program ``chroniker``: one tick, in the environment that its arguments name. For a line in a crontab.

It needs only Python: cron starts it with an empty environment, perhaps with another Python than the project's. It
finds the project's Python and settings, and then replaces itself by ``manage.py cron`` in the same process, so that
signals reach the tick, and the tick's exit status is the program's.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from chroniker.exceptions import TickStartError

SETTINGS_VARIABLE = "DJANGO_SETTINGS_MODULE"

DESCRIPTION = """One tick of the scheduler: claims the jobs that are due, and runs those that run on this host.
It needs no environment; in a crontab this line is enough:

  * * * * * /srv/site/venv/bin/chroniker -p /srv/site"""


@dataclass(frozen=True, slots=True)
class TickCommandLine:
    """The command line to execute, its directory and its environment."""

    argv: list[str]
    directory: Path
    environment: dict[str, str]


def main(words: Sequence[str] | None = None) -> NoReturn:
    """Replaces this process by the tick; or ends with status 2 and a message."""
    making = make_parser()
    arguments = making.parse_args(words)
    try:
        start = find_tick_command_line(arguments, os.environ)
        if arguments.log_file is not None:
            _redirect_output(arguments.log_file)
        os.chdir(start.directory)
        os.execve(start.argv[0], start.argv, start.environment)  # nosec B606  # the caller's own Python
    except (TickStartError, OSError) as problem:
        making.error(str(problem))


def make_parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="chroniker", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    add(
        "-e", dest="virtualenv", metavar="DIR", help="the project's virtual environment (default: that of this program)"
    )
    add("-p", dest="project", metavar="DIR", help="the project's directory, where manage.py is; the tick runs in it")
    add(
        "-s",
        dest="settings",
        metavar="MODULE",
        help=f"its settings, as a dotted path (default: {SETTINGS_VARIABLE}, or what manage.py names, or DIR.settings)",
    )
    loudness = made.add_mutually_exclusive_group()
    loudness.add_argument("-q", dest="verbosity", action="store_const", const=0, default=1, help="print errors only")
    loudness.add_argument(
        "-l", dest="verbosity", action="store_const", const=2, help="print also the start and what succeeds"
    )
    add("--log-file", metavar="FILE", help="append the output to this file instead of printing it")
    add(
        "--jobs",
        nargs="+",
        metavar="NAME-OR-ID",
        default=[],
        help="claim only these jobs; ids may be written 1,2,3",
    )
    return made


def find_tick_command_line(arguments: argparse.Namespace, environ: Mapping[str, str]) -> TickCommandLine:
    """Find out what to start. Reads files, changes nothing. Raises ``TickStartError``."""
    python = _find_python(arguments.virtualenv)
    environment = {**environ, **_virtualenv_variables(python, environ)}
    directory = Path(arguments.project).absolute() if arguments.project else Path.cwd()
    if not directory.is_dir():
        raise TickStartError(f"The project's directory {directory} does not exist (-p).")
    settings = arguments.settings or environ.get(SETTINGS_VARIABLE)
    if (directory / "manage.py").is_file():
        program = ["manage.py"]
    else:
        program = ["-m", "django"]
        settings = settings or _guess_settings_module(directory)
        paths = [str(directory), str(directory.parent), environ.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    argv = [str(python), *program, "cron", "--verbosity", str(arguments.verbosity)]
    if arguments.verbosity == 1:  # cron mails what is printed
        argv.append("--quiet")
    if settings:
        argv += ["--settings", settings]
    jobs = [name for word in arguments.jobs for name in _parse_job_ids_or_name(word)]
    return TickCommandLine(argv + (["--jobs", *jobs] if jobs else []), directory, environment)


def _find_python(virtualenv: str | None) -> Path:
    """The Python of the virtual environment. ``virtualenv`` may also be a script in its ``bin`` directory."""
    if virtualenv is None:
        if importlib.util.find_spec("django") is None:
            raise TickStartError(
                f"There is no Django for {sys.executable}: name the project's virtual environment with -e."
            )
        return Path(sys.executable)
    named = Path(virtualenv).absolute()
    # django-chroniker's crontab line names bin/activate_this.py, which only virtualenv creates, not python -m venv.
    is_script = named.is_file() or named.name in ("activate", "activate_this.py")
    python = (named.parent if is_script else named / "bin") / "python"
    if not python.exists():
        raise TickStartError(f"{named} is not a virtual environment: {python} does not exist (-e).")
    return python


def _virtualenv_variables(python: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that activating the environment sets: raw commands find its programs first."""
    root = python.parent.parent
    if not (root / "pyvenv.cfg").is_file():
        return {}
    path = [str(python.parent), environ.get("PATH", os.defpath)]
    return {"VIRTUAL_ENV": str(root), "PATH": os.pathsep.join(path)}


def _guess_settings_module(directory: Path) -> str:
    """Find the module as django-chroniker does: ``site.settings`` for the directory ``site``, in it or beside it."""
    name = directory.name
    for parent in (directory.parent, directory):
        if (parent / name / "settings.py").is_file() or (parent / name / "settings" / "__init__.py").is_file():
            return f"{name}.settings"
    raise TickStartError(
        f"Which settings? {directory} has no manage.py; name the module with -s, or in {SETTINGS_VARIABLE}."
    )


def _parse_job_ids_or_name(word: str) -> list[str]:
    """The ids of a list such as 1,2,3; any other word is a name, which may contain commas."""
    parts = [part.strip() for part in word.split(",")]
    return [part for part in parts if part] if all(part.isdecimal() or not part for part in parts) else [word]


def _redirect_output(log_file: str) -> None:
    sys.stdout.flush()
    descriptor = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
