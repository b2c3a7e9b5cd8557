"""A pytest plugin: runs the tests once as they are, and then those that reach a mutant in a fork for each mutant."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import _lru_cache_wrapper
from pathlib import Path
from types import FunctionType
from typing import TypeGuard

import coverage
import pytest

from tests.mutants.operators import Mutant, Place
from tests.support import ROOT

#: A mutant that loops without end is ended after so many times the duration of its tests, and so many seconds more.
TIMES, SECONDS = 5, 30
#: So many forks run tests without a change first: a failure there would count as a mutant that was noticed.
CONTROLS = 8
#: Fixtures of tests that start processes or servers: those see the code as it is in the files.
PROCESSES = {"subprocess_env", "broker_session", "redis_broker_session", "live_server", "supervise"}


class MutantSession:
    """``survivors`` are the mutants with which all tests passed."""

    def __init__(self, chosen: list[Mutant]) -> None:
        self.chosen = chosen
        self.survivors: list[Mutant] = []
        self.failed: list[str] = []
        self.finished = False
        self.timed_out = 0
        self._reached: dict[Path, dict[int, list[str]]] = {}
        self._seconds: dict[str, float] = defaultdict(float)
        self._functions: dict[Place, list[FunctionType]] = {}
        self._caches: list[_lru_cache_wrapper[object]] = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if not PROCESSES & set(getattr(item, "fixturenames", ()))]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._config = session.config
        self._run_unchanged(session.items)
        items = [item for item in session.items if item.nodeid not in self.failed]
        print("\nleft out, since they fail without a mutant:", self.failed or "none", flush=True)
        self.failed = []
        self._prepare_forks()
        unchanged = self._survivors_of(items, self.chosen[:CONTROLS], change=False)
        self.finished = len(unchanged) == len(self.chosen[:CONTROLS])
        if self.finished:
            self.survivors = self._survivors_of(items, self.chosen, change=True)
        else:
            print("in a fork, tests fail without a mutant", flush=True)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def _run_unchanged(self, items: list[pytest.Item]) -> None:
        """Record which test reaches which line. The last test leaves the database to the forks."""
        files = {mutant.path.resolve() for mutant in self.chosen}
        tracer = coverage.Coverage(data_file=None, config_file=False, include=[str(file) for file in files])
        self._caches = _find_caches()
        with tracer.collect():
            for item, following in _pairs(items):
                tracer.switch_context(item.nodeid)
                self._clear_caches()  # a test that finds a compiled query does not reach the lines that build it
                started = time.monotonic()
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                self._seconds[item.nodeid] = time.monotonic() - started
        self._reached = {file: tracer.get_data().contexts_by_lineno(str(file)) for file in files}

    def _prepare_forks(self) -> None:
        """Look once for the functions and the caches, and let no fork's garbage collector look at what exists now."""
        from django.db import connections

        connections.close_all()
        self._functions = _functions_by_place()
        self._caches = _find_caches()
        gc.collect()
        gc.freeze()

    def _clear_caches(self) -> None:
        for cache in self._caches:
            cache.cache_clear()

    def _tests_of(self, items: list[pytest.Item], mutant: Mutant) -> list[pytest.Item]:
        """Tests that reach the line, or else the function; those that end soonest first."""
        lines = self._reached[mutant.path.resolve()]
        reached = set(lines.get(mutant.line, ()))
        if not reached:  # a line of a longer statement
            body = range(mutant.first_line + 1, mutant.last_line + 1)
            reached = {test for line in body for test in lines.get(line, ())}
        return sorted((item for item in items if item.nodeid in reached), key=lambda item: self._seconds[item.nodeid])

    def _survivors_of(self, items: list[pytest.Item], mutants: list[Mutant], *, change: bool) -> list[Mutant]:
        """Fork for each mutant. Without ``change`` its tests run with the code as it is, and must pass."""
        running: dict[int, Mutant] = {}
        survivors: list[Mutant] = []
        for number, mutant in enumerate(mutants, 1):
            print(f"\r{number} of {len(mutants)}", end="", file=sys.stderr, flush=True)
            while len(running) >= (os.cpu_count() or 1):
                survivors += self._collect(running)
            running[self._fork(items, mutant, change=change)] = mutant
        while running:
            survivors += self._collect(running)
        return survivors

    def _fork(self, items: list[pytest.Item], mutant: Mutant, *, change: bool) -> int:
        tests = self._tests_of(items, mutant)
        if pid := os.fork():
            return pid
        status = 3
        try:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            signal.alarm(SECONDS + int(TIMES * sum(self._seconds[test.nodeid] for test in tests)))
            _use_own_database(self._config)
            self._clear_caches()  # computed by the unchanged code
            if change:
                code = mutant.code()
                for function in self._functions[mutant.place]:
                    function.__code__ = code
            status = int(self._any_fails(tests))
        except BaseException:  # such as a mutant that ends the test run
            status = 1
        finally:
            os._exit(status)

    def _any_fails(self, tests: list[pytest.Item]) -> bool:
        for test, following in _pairs(tests):
            test.config.hook.pytest_runtest_protocol(item=test, nextitem=following)
            if self.failed:
                return True
        return False

    def _collect(self, running: dict[int, Mutant]) -> list[Mutant]:
        pid, status = os.wait()
        mutant = running.pop(pid, None)
        if os.WIFSIGNALED(status):
            self.timed_out += 1
        return [mutant] if mutant is not None and status == 0 else []


def _pairs(items: list[pytest.Item]) -> Iterator[tuple[pytest.Item, pytest.Item | pytest.Session]]:
    """Each test with the next one. After the last one, the fixtures of the whole run stay set up."""
    return zip(items, [*items[1:], *(item.session for item in items[-1:])], strict=True)


def _use_own_database(config: pytest.Config) -> None:
    """A copy of the test database: forks run at the same time, and one may leave its rows behind."""
    from django.db import connection
    from pytest_django.plugin import blocking_manager_key

    with config.stash[blocking_manager_key].unblock():
        connection.creation.clone_test_db(suffix=str(os.getpid()), verbosity=0)
    connection.settings_dict.update(connection.creation.get_test_db_clone_settings(str(os.getpid())))


def _functions_by_place() -> dict[Place, list[FunctionType]]:
    found: dict[Place, list[FunctionType]] = defaultdict(list)
    for each in gc.get_objects():
        if isinstance(each, FunctionType):
            code = each.__code__
            found[code.co_filename, code.co_qualname, code.co_firstlineno].append(each)
    return found


def _find_caches() -> list[_lru_cache_wrapper[object]]:
    return [each for each in gc.get_objects() if _is_cache(each)]


def _is_cache(each: object) -> TypeGuard[_lru_cache_wrapper[object]]:
    return isinstance(each, _lru_cache_wrapper) and (each.__module__ or "").startswith("chroniker")


def source_files(packages: list[str]) -> list[Path]:
    return sorted(path.relative_to(ROOT) for package in packages for path in (ROOT / package).rglob("*.py"))
