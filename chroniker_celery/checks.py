"""What Django's system checks say about runs on Celery. Each id is never used for anything else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from celery import Celery
from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning

from chroniker.exceptions import ExecutorError

if TYPE_CHECKING:
    from chroniker_celery.executor import CeleryExecutor

#: id -> what it means.
CHECKS: dict[str, str] = {
    "chroniker_celery.E001": "task_always_eager is on: there would be no worker to supervise a run.",
    "chroniker_celery.E002": "worker_pool is gevent or eventlet, which cannot supervise processes.",
    "chroniker_celery.E003": "The Celery app has no broker, or one that cannot leave its process.",
    "chroniker_celery.E004": "The executor's OPTIONS have an unknown name, a wrong timeout, or name no Celery app.",
    "chroniker_celery.E005": "chroniker_celery is not in INSTALLED_APPS: workers would not know the task.",
    "chroniker_celery.E006": "The broker cannot be reached (asked by manage.py doctor).",
    "chroniker_celery.E007": "No worker answers (asked by manage.py doctor).",
    "chroniker_celery.W001": "The Celery app has no result backend: runs leave no result there.",
    "chroniker_celery.W002": "The result backend is django-celery-results, which is not in INSTALLED_APPS.",
    "chroniker_celery.W003": "worker_prefetch_multiplier is not 1: runs wait behind a long one while workers are idle.",
    "chroniker_celery.W004": "No worker that answers consumes a queue that jobs use (asked by manage.py doctor).",
}

GREEN_POOLS = frozenset({"gevent", "eventlet"})
GREEN = "Runs cannot be supervised from a gevent or eventlet pool."
EAGER = "Runs cannot be supervised in Celery's eager mode (task_always_eager): they need a worker."
LOCAL_BROKERS = frozenset({"memory"})
DJANGO_BACKENDS = frozenset({"django-db", "django-cache"})


def check_executor(executor: CeleryExecutor) -> list[CheckMessage]:
    """Everything about one executor and its app. Connects to nothing."""
    found = list(_options(executor))
    try:
        app = executor.app
    except ExecutorError as error:
        hint = 'Name it like "project.celery:app", or leave it out to use the current app.'
        return [*found, Error(str(error), hint=hint, id="chroniker_celery.E004")]
    return [*found, *_installed(), *_app(app)]


def _options(executor: CeleryExecutor) -> Iterator[CheckMessage]:

    where = f"CHRONIKER_EXECUTORS[{executor.alias!r}]['OPTIONS']"
    for name in sorted(executor.options.keys() - OPTIONS):
        hint = f"There are: {', '.join(sorted(OPTIONS))}."
        yield Error(f"{where} has {name!r}, which nothing reads.", hint=hint, id="chroniker_celery.E004")
    timeout = executor.options.get("timeout", 1)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or timeout <= 0:
        hint = "Give a number of seconds, more than 0."
        yield Error(f"{where}['timeout'] is {timeout!r}.", hint=hint, id="chroniker_celery.E004")


def _installed() -> Iterator[CheckMessage]:
    if not apps.is_installed("chroniker_celery"):
        hint = 'Add "chroniker_celery" to INSTALLED_APPS.'
        yield Error("chroniker_celery is not in INSTALLED_APPS.", hint=hint, id="chroniker_celery.E005")


def _app(app: Celery) -> Iterator[CheckMessage]:
    conf = app.conf
    if conf.task_always_eager:
        hint = "Set CELERY_TASK_ALWAYS_EAGER to False; for tests there is chroniker.executors.inline.InlineExecutor."
        yield Error(EAGER, hint=hint, id="chroniker_celery.E001")
    if str(conf.worker_pool) in GREEN_POOLS:
        yield Error(GREEN, hint='Set CELERY_WORKER_POOL to "prefork", "threads" or "solo".', id="chroniker_celery.E002")
    yield from _broker(app)
    yield from _results(app)
    if conf.worker_prefetch_multiplier != 1:
        message = f"worker_prefetch_multiplier is {conf.worker_prefetch_multiplier}."
        hint = (
            "Set CELERY_WORKER_PREFETCH_MULTIPLIER to 1 and, on Redis, CELERY_WORKER_DISABLE_PREFETCH to True, "
            "so that each run goes to a worker that is free."
        )
        yield Warning(message, hint=hint, id="chroniker_celery.W003")


def _broker(app: Celery) -> Iterator[CheckMessage]:
    url = app.conf.broker_write_url or app.conf.broker_url
    if not url:
        # Celery would go on to a RabbitMQ on this host; and so does an app that nobody configured.
        hint = (
            "Set CELERY_BROKER_URL, and import the project's Celery app in its package's __init__.py, "
            'or name it in the executor\'s OPTIONS: {"app": "project.celery:app"}.'
        )
        yield Error(f"The Celery app {app.main!r} has no broker.", hint=hint, id="chroniker_celery.E003")
    elif str(url if isinstance(url, str) else url[0]).partition(":")[0] in LOCAL_BROKERS:
        hint = "Use Redis or RabbitMQ, for example redis://localhost:6379/0."
        message = f"The broker {url} cannot be reached by a worker, which is another process."
        yield Error(message, hint=hint, id="chroniker_celery.E003")


def _results(app: Celery) -> Iterator[CheckMessage]:
    backend = app.conf.result_backend
    if not backend or backend == "disabled":
        hint = 'Set CELERY_RESULT_BACKEND, for example to "django-db". Runs do without, but Flower shows nothing.'
        yield Warning("The Celery app has no result backend.", hint=hint, id="chroniker_celery.W001")
    elif backend in DJANGO_BACKENDS and not apps.is_installed("django_celery_results"):
        hint = 'Add "django_celery_results" to INSTALLED_APPS, and migrate.'
        message = f"The result backend is {backend!r}, but django_celery_results is not installed."
        yield Warning(message, hint=hint, id="chroniker_celery.W002")


#: What ``OPTIONS`` may contain.
OPTIONS = frozenset({"app", "queue", "timeout"})
