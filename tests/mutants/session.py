"""A pytest plugin: runs the tests once as they are, and then those that reach a mutant in a fork for each mutant."""

from __future__ import annotations

import gc
import os
import random
import shutil
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import _lru_cache_wrapper
from pathlib import Path
from types import FunctionType

import pytest

from tests.mutants.operators import Mutant
from tests.support import ROOT

#: Ends a mutant that loops without end; a test that takes this long does not belong here.
SECONDS = 300
#: So many forks run tests without a change first: a failure there would count as a mutant that was noticed.
CONTROLS = 8
#: Fixtures of tests that start processes or servers: those see the code as it is in the files.
PROCESSES = {"subprocess_env", "manage", "broker", "redis_broker", "live_server", "supervise", "run", "nursery"}


class MutantSession:
    """``survivors`` are the mutants with which all tests passed."""

    def __init__(self, mutants: list[Mutant], count: int, seed: int) -> None:
        self.chosen = random.Random(seed).sample(mutants, min(count, len(mutants)))
        self.survivors: list[Mutant] = []
        self.failed: list[str] = []
        self.finished = False
        self.timed_out = 0
        self._reached: dict[tuple[str, int], set[str]] = defaultdict(set)
        self._entered: Counter[str] = Counter()
        self._current = ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if not PROCESSES & set(getattr(item, "fixturenames", ()))]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._run_unchanged(session.items)
        items = [item for item in session.items if item.nodeid not in self.failed]
        print("\nleft out, since they fail without a mutant:", self.failed or "none", flush=True)
        self.failed = []
        from django.db import connections

        connections.close_all()
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
        """Record which test enters which function. The last test leaves the database to the forks."""
        sys.setprofile(self._note)
        for item, following in _pairs(items):
            self._current = item.nodeid
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            sys.setprofile(self._note)
        sys.setprofile(None)
        self._entered = Counter(test for tests in self._reached.values() for test in tests)

    def _note(self, frame: object, event: str, _argument: object) -> None:
        if event == "call":
            code = frame.f_code  # type: ignore[attr-defined]
            self._reached[(code.co_filename, code.co_firstlineno)].add(self._current)

    def _tests_of(self, items: list[pytest.Item], mutant: Mutant) -> list[pytest.Item]:
        """Tests that enter the function, those that enter few functions first."""
        reached = self._reached.get((str(mutant.path.resolve()), mutant.first_line), set())
        return sorted((item for item in items if item.nodeid in reached), key=lambda item: self._entered[item.nodeid])

    def _function(self, mutant: Mutant) -> list[FunctionType]:
        file = str(mutant.path.resolve())
        return [
            each
            for each in gc.get_objects()
            if isinstance(each, FunctionType)
            and each.__code__.co_filename == file
            and mutant.is_function(each.__code__.co_qualname, each.__code__.co_firstlineno)
        ]

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
            signal.alarm(SECONDS)
            _use_own_database()
            _forget_results()
            if change:
                code = mutant.code()
                for function in self._function(mutant):
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


def _use_own_database() -> None:
    """A copy of the SQLite file: forks run at the same time, and one may leave its rows behind."""
    from django.db import connection

    name = Path(str(connection.settings_dict["NAME"]))
    copy = name.with_name(f"{os.getpid()}-{name.name}")
    shutil.copy(name, copy)
    connection.settings_dict["NAME"] = str(copy)


def _forget_results() -> None:
    """What ``functools.cache`` holds was computed by the unchanged code."""
    for each in gc.get_objects():
        if isinstance(each, _lru_cache_wrapper) and (each.__module__ or "").startswith("chroniker"):
            each.cache_clear()


def source_files(packages: list[str]) -> list[Path]:
    return sorted(path.relative_to(ROOT) for package in packages for path in (ROOT / package).rglob("*.py"))
