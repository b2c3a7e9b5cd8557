"""``modules``: the modules that one due job enters, from the tick to the end of its run, in all processes."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import chroniker
from tests.benchmarks import module_trace
from tests.benchmarks.measuring import Row
from tests.support import ROOT
from tests.support.processes import with_settings

PACKAGE = Path(chroniker.__file__).parent
#: Entry points, and the settings that everything reads: not part of a job's way.
LEFT_OUT = ("admin/", "apps.py", "checks/", "cli.py", "conf/", "management/")
#: Entered by the regular heartbeat of a host and by its sweep, which may or may not fall into the measured time.
REGULAR = ("eligibility/hosts.py", "worker/run_remains.py")
PREPARE = """
import django
django.setup()
from tests.support.factories import a_due_job
a_due_job(command="noop")
"""
ROLES = {"chroniker-fork": "fork server", "chroniker-keep": "keeper", "chroniker-run": "command"}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--functions", action="store_true", help="also show the function that was entered first")


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """One row per module and process, then the totals. ``tick`` and ``worker`` are threads of one process here."""
    by_role = entered()
    for role, modules in by_role.items():
        for module, function in sorted(modules.items()):
            yield {"process": role, "module": module, **({"function": function} if options.functions else {})}
    for role, modules in by_role.items():
        yield {"process": role, "modules": len(modules)}
    yield {"process": "all", "modules": len(set().union(*by_role.values()))}
    yield {"process": "sum", "modules": sum(map(len, by_role.values()))}


def entered() -> dict[str, dict[str, str]]:
    """By process: the modules that ``cron`` with one due job entered, each with the first function."""
    with tempfile.TemporaryDirectory(prefix="chroniker-modules-") as name:
        directory = Path(name)
        env = _environment(directory)
        _run(env, "-m", "django", "migrate", "--verbosity=0")
        _run(env, "-c", PREPARE)
        (directory / "sitecustomize.py").write_text("from tests.benchmarks import module_trace; module_trace.install()")
        (directory / "window").write_bytes(module_trace.BEFORE)
        _run(env, "-m", "django", "cron", "--verbosity=0")
        if (directory / "window").read_bytes() != module_trace.AFTER:
            raise RuntimeError("The job was not claimed, or its run did not end.")
        return _read(directory / "entries")


def _environment(directory: Path) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(directory), str(ROOT), os.environ.get("PYTHONPATH")]))
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_DATABASE": "sqlite",
        "CHRONIKER_TEST_DB_NAME": str(directory / "db.sqlite3"),
        "PYTHONPATH": path,
        module_trace.WINDOW: str(directory / "window"),
        module_trace.ENTRIES: str(directory / "entries"),
        "CHRONIKER_TRACE_PACKAGE": f"{PACKAGE}/",
    }
    executors = {"default": {"BACKEND": "chroniker.executors.local.LocalExecutor"}}
    return with_settings(env, CHRONIKER_EXECUTORS=executors, CHRONIKER_RUNTIME_DIR=str(directory / "runtime"))


def _run(env: Mapping[str, str], *words: str) -> None:
    subprocess.run([sys.executable, *words], env=env, check=True, timeout=300)


def _read(entries: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for line in entries.read_text(encoding="utf-8").splitlines():
        _pid, role, module, function = line.split()
        if not module.startswith((*LEFT_OUT, *REGULAR)):
            found[ROLES.get(role, role)].setdefault(module, function)
    return dict(found)
