"""The id of each check, and the settings that cause it."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery
from django.test import override_settings

from chroniker.exceptions import ExecutorError
from chroniker_celery.checks import CHECK_MEANINGS_BY_ID, check_app, check_result_backend
from chroniker_celery.executor import CeleryExecutor

pytestmark = pytest.mark.celery

SOUND = {
    "broker_url": "redis://localhost:1/0",
    "result_backend": "django-db",
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,
}


def an_app(**conf: Any) -> Celery:
    app = Celery("checked", set_as_current=False, fixups=[])
    app.conf.update({**SOUND, **conf})
    return app


checked = an_app()


def ids(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any] | None = None, **conf: Any) -> set[str | None]:
    monkeypatch.setattr(f"{__name__}.checked", an_app(**conf))
    executor = CeleryExecutor("fleet", {"app": f"{__name__}:checked", **(options or {})})
    messages = executor.check()
    assert all(message.hint for message in messages)
    return {message.id for message in messages}


def test_valid_settings_have_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ids(monkeypatch, {"queue": "jobs", "timeout": 2.5}) == set()


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ({"task_always_eager": True}, "chroniker_celery.E001"),
        ({"worker_pool": "gevent"}, "chroniker_celery.E002"),
        ({"worker_pool": "eventlet"}, "chroniker_celery.E002"),
        ({"broker_url": None}, "chroniker_celery.E003"),
        ({"broker_url": "memory://"}, "chroniker_celery.E003"),
        ({"broker_url": ["memory://", "redis://"]}, "chroniker_celery.E003"),
        ({"result_backend": None}, "chroniker_celery.W001"),
        ({"result_backend": "disabled"}, "chroniker_celery.W001"),
        ({"worker_prefetch_multiplier": 4}, "chroniker_celery.W003"),
        ({"worker_disable_prefetch": False}, "chroniker_celery.W005"),
        ({"worker_disable_prefetch": False, "broker_url": "rediss://localhost:1"}, "chroniker_celery.W005"),
        ({"broker_url": "sqs://"}, "chroniker_celery.E008"),
        ({"broker_url": "sentinel://localhost:1;sentinel://localhost:2"}, "chroniker_celery.E008"),
        ({"broker_url": "rediscluster://localhost:1"}, "chroniker_celery.E008"),
    ],
)
def test_unsuitable_celery_settings_are_reported(
    monkeypatch: pytest.MonkeyPatch, conf: dict[str, Any], expected: str
) -> None:
    assert ids(monkeypatch, **conf) == {expected}


@pytest.mark.parametrize("backend", [None, "django-db"])
def test_an_executor_without_results_needs_no_result_backend(
    monkeypatch: pytest.MonkeyPatch, settings: Any, backend: str | None
) -> None:
    with override_settings(
        INSTALLED_APPS=[each for each in settings.INSTALLED_APPS if each != "django_celery_results"]
    ):
        assert ids(monkeypatch, {"results": False}, result_backend=backend) == set()


@pytest.mark.parametrize(
    "options",
    [
        {"qeueu": "jobs"},
        {"timeout": 0},
        {"timeout": "5"},
        {"timeout": True},
        {"results": "no"},
        {"app": "no.such.module:app"},
        {"app": "tests.celeryapp:no_such_app"},
        {"app": "tests.settings:DATABASES"},
    ],
)
def test_invalid_executor_options_are_reported(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]) -> None:
    assert ids(monkeypatch, options) == {"chroniker_celery.E004"}


@pytest.mark.parametrize(
    ("app", "expected"),
    [("chroniker_celery", "chroniker_celery.E005"), ("django_celery_results", "chroniker_celery.W002")],
)
def test_missing_apps_are_reported(monkeypatch: pytest.MonkeyPatch, settings: Any, app: str, expected: str) -> None:
    with override_settings(INSTALLED_APPS=[each for each in settings.INSTALLED_APPS if each != app]):
        assert ids(monkeypatch) == {expected}


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        ("celery.beat:PersistentScheduler", {"chroniker_celery.W009"}),
        ("no.such:Scheduler", {"chroniker_celery.W009"}),
        ("chroniker_celery.beat:Scheduler", set()),
        ("chroniker_celery.beat.Scheduler", set()),
    ],
)
def test_entries_need_the_scheduler_of_this_project(
    monkeypatch: pytest.MonkeyPatch, scheduler: str, expected: set[str]
) -> None:
    entries = {"report": {"task": "shop.report", "schedule": 60}}
    assert ids(monkeypatch, beat_scheduler=scheduler, beat_schedule=entries) == expected
    assert ids(monkeypatch, beat_scheduler=scheduler, beat_schedule={}) == set()


def test_enabled_prefetching_is_not_reported_on_rabbitmq(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ids(monkeypatch, broker_url="amqp://localhost:1//", worker_disable_prefetch=False) == set()


@pytest.mark.parametrize(
    ("url", "beginning"),
    [("", "Set CELERY_BROKER_URL, and import"), ("redis://localhost:1", "CELERY_BROKER_URL is set, and this app")],
)
def test_an_app_that_is_not_the_project_s_is_reported_alone(url: str, beginning: str) -> None:
    """Celery's current app, where the project's ``__init__.py`` does not import its own."""
    bare = Celery("default", set_as_current=False, fixups=[])
    with override_settings(CELERY_BROKER_URL=url):
        [found] = [*check_app(bare), *check_result_backend(bare)]
    assert found.id == "chroniker_celery.E003" and str(found.hint).startswith(beginning)


def test_every_check_id_is_documented() -> None:
    here = {"E001", "E002", "E003", "E004", "E005", "E008", "W001", "W002", "W003", "W005", "W009"}
    of_the_doctor = {"E006", "E007", "W004", "W006", "W007"}  # test_doctor.py
    of_the_import = {"W008"}  # test_import_beat_schedule.py
    assert set(CHECK_MEANINGS_BY_ID) == {f"chroniker_celery.{each}" for each in here | of_the_doctor | of_the_import}


def test_in_eager_mode_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.checked", an_app(task_always_eager=True))
    with pytest.raises(ExecutorError, match="task_always_eager"):
        CeleryExecutor("fleet", {"app": f"{__name__}:checked"}).dispatch([])
