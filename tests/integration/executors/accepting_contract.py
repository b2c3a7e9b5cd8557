"""Tests that every executor must pass which accepts runs, whether or not it executes them."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from django.core.checks import CheckMessage
from django.db import connection
from django.test import override_settings

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.executors import Executor, InProcessExecutor, executors
from chroniker.lifecycle import claim_plan
from chroniker.models import JobState, Run, Status
from chroniker.scheduler import dispatch, tick
from tests.support import ROOT
from tests.support.factories import a_booked_job
from tests.support.processes import with_settings

LONG_AGO = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def a_claim(**fields: Any) -> Run:
    """A claimed run that is not dispatched yet, of a job that is not due."""
    job = a_booked_job(cron="0 0 1 1 *", **fields)
    state = JobState.objects.select_related("job").get(pk=job.pk)
    now = database_now()
    [run] = lifecycle.claim([claim_plan.plan_manual_run(state, now)], now, wait_for_locks=True)
    return run


def open_here() -> None:
    """Let the executor under test accept runs, if it executes them in this process."""
    if isinstance(executor := executors["default"], InProcessExecutor):
        executor.open()


def busy(executor: Executor) -> bool:
    return isinstance(executor, InProcessExecutor) and executor.busy


def running(executor: Executor) -> Collection[UUID]:
    return executor.running if isinstance(executor, InProcessExecutor) else ()


def record_ends(executor: Executor, timeout: float) -> None:
    """Let an executor of this process process the ends of its runs."""
    if isinstance(executor, InProcessExecutor) and executor.busy:
        executor.finished(timeout)


def reread(run: Run) -> Run:
    return Run.objects.get(pk=run.pk)


@pytest.mark.django_db(transaction=True)
class AcceptingContract:
    """Tests for executors that accept runs and do not execute them."""

    BACKEND: ClassVar[str] = ""
    OPTIONS: ClassVar[Mapping[str, Any]] = {}

    @pytest.fixture(scope="class")
    @classmethod
    def env(cls, django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
        """The environment for processes of this class: its settings, on the test database."""
        env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "CHRONIKER_TEST_DB_NAME": str(connection.settings_dict["NAME"]),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        }
        return with_settings(
            env,
            CHRONIKER_EXECUTORS={"default": {"BACKEND": cls.BACKEND, "OPTIONS": dict(cls.OPTIONS)}},
            CHRONIKER_RUNTIME_DIR=str(tmp_path_factory.mktemp("runtime")),
            CHRONIKER_STOP_GRACE_SECONDS=1,
        )

    @pytest.fixture(scope="class")
    @classmethod
    def served(cls, env: dict[str, str]) -> Iterator[None]:
        """Dispatched runs are executed while this context is open. ``env`` is for the processes that execute them."""
        yield

    @pytest.fixture(scope="class")
    @classmethod
    def opened(cls, env: dict[str, str], served: None) -> Iterator[None]:
        """The executor, open, with its settings in this process and in processes that it starts."""
        with pytest.MonkeyPatch.context() as patch:
            for name in ("CHRONIKER_TEST_DB_NAME", "CHRONIKER_TEST_SETTINGS", "DJANGO_SETTINGS_MODULE", "PYTHONPATH"):
                patch.setenv(name, env[name])
            with override_settings(**json.loads(env["CHRONIKER_TEST_SETTINGS"])):
                open_here()
                yield
                executors.close()

    @pytest.fixture
    def executor(self, transactional_db: None, opened: None) -> Iterator[Executor]:
        yield executors["default"]
        while busy(executors["default"]):
            record_ends(executors["default"], 1)

    def test_an_executor_accepts_every_run_it_is_given(self, executor: Executor) -> None:
        runs = [a_claim() for _ in range(3)]
        assert set(executor.dispatch(runs)) == {run.pk for run in runs}

    def test_a_run_goes_to_the_queue_that_the_executor_named_in_advance(self, executor: Executor) -> None:
        run = a_claim()
        named = executor.queue_for(run.job)
        accepted = executor.dispatch([run])
        if named is not None:
            assert (accepted[run.pk] if isinstance(accepted, Mapping) else run.job.queue) == named

    def test_dispatching_no_runs_accepts_none(self, executor: Executor) -> None:
        assert list(executor.dispatch([])) == []

    def test_a_stop_hint_for_an_unknown_run_is_not_an_error(self, executor: Executor) -> None:
        executor.request_stop(uuid4())

    def test_system_checks_of_an_executor_are_empty_for_valid_options(self, executor: Executor) -> None:
        messages = executor.check()
        assert [message for message in messages if not isinstance(message, CheckMessage)] == []
        assert [message for message in messages if message.is_serious()] == []

    def test_an_executor_declares_its_capabilities_as_flags(self, executor: Executor) -> None:
        flags = (executor.executes_here, executor.supports_queues, executor.supports_priority)
        assert [type(flag) for flag in flags] == [bool] * 3

    def test_runs_that_were_not_accepted_are_dispatched_again(
        self, executor: Executor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An exception or an incomplete result of an executor affects neither the tick nor the claim."""
        run = a_claim()
        with monkeypatch.context() as patch:
            patch.setattr(executor, "dispatch", lambda runs: 1 / 0)
            assert dispatch.dispatch([run], database_now()) == 0
            assert "ZeroDivisionError" in reread(run).reason
            patch.setattr(executor, "dispatch", lambda runs: [])
            assert dispatch.dispatch([run], database_now()) == 0
        redispatch_at = reread(run).redispatch_at
        assert redispatch_at is not None
        tick.tick(now=redispatch_at)
        offered = reread(run)
        assert offered.dispatch_count == 1 or offered.status != Status.CLAIMED, (
            "it may have started before the dispatch was counted"
        )
