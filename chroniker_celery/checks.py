"""System checks of the Celery executor and its Celery app. An id is never reused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from celery import Celery
from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from kombu.utils.imports import symbol_by_name

#: The id of each check, with its meaning.
CHECK_MEANINGS_BY_ID: dict[str, str] = {
    "chroniker_celery.E001": "task_always_eager is on: no worker would supervise a run.",
    "chroniker_celery.E002": "worker_pool is gevent or eventlet, which cannot supervise processes.",
    "chroniker_celery.E003": "The Celery app has no broker, or one that other processes cannot reach.",
    "chroniker_celery.E004": "The executor's OPTIONS have an unknown name, an invalid value, or no valid Celery app.",
    "chroniker_celery.E005": "chroniker_celery is not in INSTALLED_APPS: workers would not know the task.",
    "chroniker_celery.E006": "The broker cannot be reached (checked by manage.py doctor).",
    "chroniker_celery.E007": "No worker answers (checked by manage.py doctor).",
    "chroniker_celery.E008": "The broker is of a kind that is not supported, because it is not tested.",
    "chroniker_celery.W001": "The Celery app has no result backend: runs leave no result there.",
    "chroniker_celery.W002": "The result backend is django-celery-results, which is not in INSTALLED_APPS.",
    "chroniker_celery.W003": "worker_prefetch_multiplier is not 1: runs wait behind a long one while workers are idle.",
    "chroniker_celery.W004": "No worker consumes a queue that jobs use (checked by manage.py doctor).",
    "chroniker_celery.W005": "worker_disable_prefetch is off on Redis: a run can wait for a busy worker.",
    "chroniker_celery.W006": "RabbitMQ's consumer_timeout may end workers (checked by manage.py doctor).",
    "chroniker_celery.W007": "Workers received messages for unknown runs (checked by manage.py doctor).",
    "chroniker_celery.W008": "Entries of beat_schedule are also jobs (checked with --database).",
    "chroniker_celery.W009": "beat_schedule has entries, and beat_scheduler is not that of this project.",
}

#: The names that the executor's ``OPTIONS`` may contain.
VALID_OPTIONS = frozenset({"app", "queue", "timeout", "results"})

#: The scheduler for beat.
BEAT_SCHEDULER_PATH = "chroniker_celery.beat:Scheduler"
GREENLET_POOLS = frozenset({"gevent", "eventlet"})
GREENLET_POOL_MESSAGE = "Runs cannot be supervised from a gevent or eventlet pool."
EAGER_MODE_MESSAGE = "Runs cannot be supervised in Celery's eager mode (task_always_eager): they need a worker."
IN_MEMORY_BROKERS = frozenset({"memory"})
REDIS_BROKERS = frozenset({"redis", "rediss", "redis+socket", "unix"})
SUPPORTED_BROKERS = REDIS_BROKERS | {"amqp", "amqps", "pyamqp"}
DJANGO_RESULT_BACKENDS = frozenset({"django-db", "django-cache"})


def check_options(alias: str, options: Mapping[str, Any]) -> Iterator[CheckMessage]:
    where = f"CHRONIKER_EXECUTORS[{alias!r}]['OPTIONS']"
    for name in sorted(options.keys() - VALID_OPTIONS):
        hint = f"Valid options: {', '.join(sorted(VALID_OPTIONS))}."
        yield Error(f"{where} has an unknown option {name!r}.", hint=hint, id="chroniker_celery.E004")
    timeout = options.get("timeout", 1)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or timeout <= 0:
        hint = "Give a number of seconds, more than 0."
        yield Error(f"{where}['timeout'] is {timeout!r}.", hint=hint, id="chroniker_celery.E004")
    if not isinstance(stored := options.get("results", True), bool):
        yield Error(f"{where}['results'] is {stored!r}.", hint="Give True or False.", id="chroniker_celery.E004")


def invalid_app_message(error: Exception) -> CheckMessage:
    hint = 'Write it like "project.celery:app", or leave it out to use the current app.'
    return Error(str(error), hint=hint, id="chroniker_celery.E004")


def check_app(app: Celery) -> Iterator[CheckMessage]:
    """Checks the app's settings. Connects to nothing."""
    conf = app.conf
    if not apps.is_installed("chroniker_celery"):
        hint = 'Add "chroniker_celery" to INSTALLED_APPS.'
        yield Error("chroniker_celery is not in INSTALLED_APPS.", hint=hint, id="chroniker_celery.E005")
    if conf.task_always_eager:
        hint = "Set CELERY_TASK_ALWAYS_EAGER to False. For tests, use chroniker.executors.inline.InlineExecutor."
        yield Error(EAGER_MODE_MESSAGE, hint=hint, id="chroniker_celery.E001")
    if str(conf.worker_pool) in GREENLET_POOLS:
        yield Error(
            GREENLET_POOL_MESSAGE,
            hint='Set CELERY_WORKER_POOL to "prefork", "threads" or "solo".',
            id="chroniker_celery.E002",
        )
    yield from _check_broker(app)
    if broker_kind(app):  # without one it is not the project's app, whose other settings are not known then
        yield from _check_prefetch(app)
    yield from _check_beat(app)


def broker_kind(app: Celery) -> str:
    """The scheme of the (first) broker URL, such as ``redis`` or ``amqp``. Empty: no broker."""
    url = app.conf.broker_write_url or app.conf.broker_url
    return str(url if isinstance(url, str) else url[0]).partition(":")[0] if url else ""


def _has_broker_url() -> bool:
    return bool(getattr(settings, "CELERY_BROKER_URL", ""))


def _check_broker(app: Celery) -> Iterator[CheckMessage]:
    kind = broker_kind(app)
    if not kind:
        # Celery's default is a RabbitMQ on this host. An app without configuration has the same default.
        url = (
            "CELERY_BROKER_URL is set, and this app does not read it:"
            if _has_broker_url()
            else "Set CELERY_BROKER_URL, and"
        )
        hint = (
            f"{url} import the project's Celery app in its package's __init__.py, "
            'or name it in the executor\'s OPTIONS: {"app": "project.celery:app"}.'
        )
        yield Error(f"The Celery app {app.main!r} has no broker.", hint=hint, id="chroniker_celery.E003")
    elif kind in IN_MEMORY_BROKERS:
        hint = "Use Redis or RabbitMQ, for example redis://localhost:6379/0."
        message = f"The broker {kind}:// cannot be reached by a worker, which is another process."
        yield Error(message, hint=hint, id="chroniker_celery.E003")
    elif kind not in SUPPORTED_BROKERS:
        hint = "Use one Redis or Valkey server, or RabbitMQ. To use it without these tests, silence this check."
        message = f"The broker {kind}:// is not supported: runs were never tested with it."
        yield Error(message, hint=hint, id="chroniker_celery.E008")


def check_result_backend(app: Celery) -> Iterator[CheckMessage]:
    """Reports W001 and W002, for an executor whose workers store results."""
    if not broker_kind(app):  # not the project's app, see ``check_app``
        return
    backend = app.conf.result_backend
    if not backend or backend == "disabled":
        hint = (
            'Set CELERY_RESULT_BACKEND, for example to "django-db": Flower shows results from it. If nothing needs '
            'them, set {"results": False} in the executor\'s OPTIONS.'
        )
        yield Warning("The Celery app has no result backend.", hint=hint, id="chroniker_celery.W001")
    elif backend in DJANGO_RESULT_BACKENDS and not apps.is_installed("django_celery_results"):
        hint = 'Add "django_celery_results" to INSTALLED_APPS, and run migrate.'
        message = f"The result backend is {backend!r}, but django_celery_results is not installed."
        yield Warning(message, hint=hint, id="chroniker_celery.W002")


def _check_prefetch(app: Celery) -> Iterator[CheckMessage]:
    conf = app.conf
    if conf.worker_prefetch_multiplier != 1:
        message = f"worker_prefetch_multiplier is {conf.worker_prefetch_multiplier}: a busy worker reserves more runs."
        hint = "Set CELERY_WORKER_PREFETCH_MULTIPLIER to 1."
        yield Warning(message, hint=hint, id="chroniker_celery.W003")
    if broker_kind(app) in REDIS_BROKERS and conf.get("worker_disable_prefetch") is False:
        message = "worker_disable_prefetch is off: a busy worker reserves a run that an idle worker could start."
        hint = (
            "Set CELERY_WORKER_DISABLE_PREFETCH to True. It applies to all tasks of these workers; where many short "
            "tasks share them, use separate workers for runs, or silence this check."
        )
        yield Warning(message, hint=hint, id="chroniker_celery.W005")


def _check_beat(app: Celery) -> Iterator[CheckMessage]:
    """Reports W009, for a project with entries."""
    named = app.conf.beat_scheduler
    if not app.conf.beat_schedule or is_our_scheduler(named):
        return
    message = (
        f"beat_scheduler is {str(named)!r}. A beat that is started without another --scheduler ticks no jobs, and each "
        "such beat sends every entry of beat_schedule."
    )
    hint = f'Set CELERY_BEAT_SCHEDULER to "{BEAT_SCHEDULER_PATH}".'
    yield Warning(message, hint=hint, id="chroniker_celery.W009")


def is_our_scheduler(scheduler: Any) -> bool:
    if scheduler == BEAT_SCHEDULER_PATH:
        return True
    from chroniker_celery.beat import Scheduler  # late: executors are checked in processes that need no beat

    try:
        found: object = symbol_by_name(scheduler)
    except (ImportError, AttributeError, ValueError):
        return False
    return isinstance(found, type) and issubclass(found, Scheduler)
