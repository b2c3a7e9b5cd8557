"""Celery tasks as jobs: their retries follow the job, their runs have the job's name."""

from __future__ import annotations

import importlib
import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery
from django.core.management import CommandError, call_command
from django.test import override_settings
from django_celery_results.models import TaskResult

from chroniker.models import Run, Status
from chroniker.process.run_variables import CurrentRun
from chroniker_celery import sentry
from chroniker_celery.importing.celery_app import find_project_celery_app, import_task_modules
from chroniker_celery.task_call import find_argument_problem
from chroniker_celery.task_picker import list_tasks
from tests.celeryapp import app
from tests.integration.chroniker_celery.steps import a_claimed_run, output_of, wait_until_closed
from tests.integration.chroniker_celery.task_commands import COMMAND, words
from tests.support.celery_processes import CeleryWorker
from tests.support.declared_app import Shop
from tests.support.processes import WAIT_SECONDS, wait_until

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ("testapp.retries", "LookupError: no such shop yet"),
        ("testapp.retries_by_itself", "LookupError: no such shop yet"),
        ("testapp.retries_without_a_reason", "It gave no reason."),
    ],
)
def test_a_task_that_asks_for_a_retry_fails_the_command(
    task: str, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CommandError, match=f"The task asked for a retry: {reason}"):
        call_command(COMMAND, task)
    assert ("Traceback" in capfd.readouterr().err) is ("LookupError" in reason)
    assert "retry" not in vars(app.tasks[task]), "the task is left as it was"


def test_with_retry_inline_celery_repeats_the_task_at_once() -> None:
    with pytest.raises(LookupError, match="no such shop yet"):
        call_command(COMMAND, "testapp.retries_by_itself", "--retry-inline")


@pytest.mark.usefixtures("redis_broker")
def test_a_task_is_sent_with_its_routing_and_the_name_of_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["--args", "[2026]", "--kwargs", '{"full": true}', "--queue", "slow", "--headers", '{"tenant": 4}']
    run = CurrentRun(1, "Tägliche Übersicht", "UTC", uuid4(), 1, 1, "MANUAL", None, None)
    for values, shadow in (({}, None), (run.to_environment(), run.job_name)):
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        out = io.StringIO()
        call_command(COMMAND, "other.project.task", *given, "--priority=3", "--expires=600", "--send", stdout=out)
        with app.connection_for_read() as link, link.SimpleQueue("slow") as queue:
            message: Any = queue.get(timeout=WAIT_SECONDS)
            message.ack()
        headers, (args, kwargs, _embedded) = message.headers, message.payload
        assert (headers["task"], args, kwargs) == ("other.project.task", [2026], {"full": True})
        assert (headers["shadow"], headers["tenant"]) == (shadow, 4)
        assert message.properties["priority"] == 3 and headers["expires"] is not None
        assert out.getvalue() == f"sent as {headers['id']}; what becomes of it is not tracked\n"


def test_arguments_that_the_task_does_not_accept_fail_the_command() -> None:
    with pytest.raises(CommandError, match="The task does not accept these arguments: takes\\(\\) missing 1 required"):
        call_command(COMMAND, "testapp.takes")


def test_task_modules_that_cannot_be_imported_are_imported_again_next_time(
    shop: Shop,
) -> None:
    broken = Celery("broken", set_as_current=False)
    broken.conf.imports = [f"{shop.name}.periodic"]
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError):
            import_task_modules(broken)
    (shop.root / shop.name / "periodic.py").touch()
    importlib.invalidate_caches()
    assert import_task_modules(broken)


@pytest.mark.parametrize("error", ["SystemExit(3)", "LookupError()"])
def test_the_form_of_a_project_whose_tasks_cannot_be_imported_offers_none(shop: Shop, error: str) -> None:
    shop.write("celery.py", "from celery import Celery\n\napp = Celery('shop', set_as_current=False)\n")
    shop.write("periodic.py", f"raise {error}")
    executor = {"BACKEND": "chroniker_celery.executor.CeleryExecutor", "OPTIONS": {"app": f"{shop.name}.celery:app"}}
    with override_settings(CHRONIKER_EXECUTORS={"default": executor}):
        find_project_celery_app().conf.imports = [f"{shop.name}.periodic"]
        assert list_tasks() == [] and find_argument_problem(["shop.count"]) == ""


class FakeScope:
    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def set_transaction_name(self, name: str, source: str) -> None:
        self.calls.append(("transaction", name, source))

    def set_tag(self, name: str, value: str) -> None:
        self.calls.append((name, value))


def test_sentry_shows_the_name_of_the_job_where_it_is_loaded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scope = FakeScope()
    monkeypatch.setitem(sys.modules, "sentry_sdk", SimpleNamespace(get_current_scope=lambda: scope))
    sentry.set_sentry_transaction_name("nightly", "an id")
    assert scope.calls == [("transaction", "nightly", "task"), ("chroniker.job", "nightly"), ("chroniker.run", "an id")]
    monkeypatch.setitem(sys.modules, "sentry_sdk", SimpleNamespace())
    sentry.set_sentry_transaction_name("nightly", "an id")
    assert "Sentry does not show the name of run an id" in caplog.text
    monkeypatch.delitem(sys.modules, "sentry_sdk")
    sentry.set_sentry_transaction_name("nightly", "an id")


def test_a_long_result_is_cut() -> None:
    out = io.StringIO()
    call_command(COMMAND, "testapp.takes_anything", "--args", "[1]", stdout=out)
    assert len(out.getvalue().strip()) == 10_000


def test_the_retry_of_a_task_follows_the_policy_of_the_job(redis_env: dict[str, str], tmp_path: Any) -> None:
    with CeleryWorker(redis_env, tmp_path):
        first = a_claimed_run(
            COMMAND, words("testapp.retries", "--args", "[1, 86400]"), max_retries=1, retry_backoff_seconds=0
        )
        assert wait_until_closed(first, ticking=True).status == Status.FAILED
        job = first.job
        wait_until(lambda: Run.objects.filter(job=job).count() == 2, what="the retry")
        second = wait_until_closed(Run.objects.order_by("token").last(), ticking=True)  # type: ignore[arg-type]
    assert second.status == Status.SUCCEEDED, second.reason
    assert second.attempt == 2
    assert output_of(second).strip() == repr(f"run {second.pk}, attempt 2, job {job.name}")
    assert "The task asked for a retry: LookupError: no such shop yet" in output_of(first, stream=2)


def test_log_result_and_flower_show_the_name_of_the_job(redis_env: dict[str, str], tmp_path: Any) -> None:
    names: list[str] = []
    with (
        CeleryWorker(redis_env, tmp_path, options=["--task-events"]) as worker,
        events({"task-received": lambda event: names.append(event["name"])}),
    ):
        run = a_claimed_run(name="Tägliche Übersicht")
        wait_until_closed(run)
        wait_until(lambda: TaskResult.objects.filter(task_id=str(run.pk)).exists(), what="the result")
        wait_until(lambda: names, what="the event that Flower reads")
        assert f"Task Tägliche Übersicht[{run.pk}] received" in worker.log
    assert names == ["Tägliche Übersicht"]
    result: Any = TaskResult.objects.get(task_id=str(run.pk))
    assert (result.periodic_task_name, result.task_name) == ("Tägliche Übersicht", "chroniker_celery.execute")


@contextmanager
def events(handlers: dict[str, Any]) -> Iterator[None]:
    """Read the events of workers, as Flower does."""
    with app.connection_for_read() as link:
        receiver: Any = app.events.Receiver(link, handlers=handlers)
        ready = threading.Event()
        receiver.on_consume_ready = lambda *_, **__: ready.set()
        thread = threading.Thread(target=_capture, args=[receiver], daemon=True)
        thread.start()
        assert ready.wait(WAIT_SECONDS)
        try:
            yield
        finally:
            receiver.should_stop = True
            thread.join(WAIT_SECONDS)


def _capture(receiver: Any) -> None:
    receiver.capture(limit=None, timeout=None, wakeup=False)
