"""Whether broker and workers are there, asked now. Bounded by the executor's timeout, for each of the two questions."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from django.core.checks import CheckMessage, Error, Warning

from chroniker.exceptions import ExecutorError
from chroniker_celery import publish

if TYPE_CHECKING:
    from chroniker_celery.executor import CeleryExecutor

#: How long workers are waited for; those that answer later count as not there.
ANSWER_SECONDS = 2.0


def diagnose(executor: CeleryExecutor, queues: Collection[str]) -> list[CheckMessage]:
    """E006, E007, W004."""
    try:
        app = executor.app
    except ExecutorError:
        return []  # E004 says so
    try:
        with publish.connection(app, executor.timeout) as link:
            fleet: Any = app.control
            answers = fleet.inspect(timeout=min(executor.timeout, ANSWER_SECONDS), connection=link).active_queues()
    except Exception as error:  # whatever a transport raises
        hint = "Is it running, and is CELERY_BROKER_URL right as seen from this host? Claims wait until it is back."
        message = f"The broker {_public(app)} cannot be reached: {type(error).__name__}: {error}"
        return [Error(message, hint=hint, id="chroniker_celery.E006")]
    if not answers:
        hint = (
            "Start one: celery -A PROJECT worker. One with the solo pool does not answer while it executes a run; "
            "if all are of this kind and busy, all is well."
        )
        return [Error(f"No worker answered within {ANSWER_SECONDS:g} s.", hint=hint, id="chroniker_celery.E007")]
    consumed = {queue["name"] for consumers in answers.values() for queue in consumers or ()}
    return [
        Warning(
            f"No worker that answered consumes the queue {queue!r}, which jobs use; there are: {_list(consumed)}.",
            hint=f"Start one with --queues {queue}, or edit these jobs. Their runs wait until their start deadline.",
            id="chroniker_celery.W004",
        )
        for queue in sorted(_names(executor, queues) - consumed)
    ]


def _names(executor: CeleryExecutor, queues: Collection[str]) -> set[str]:
    default = executor.options.get("queue") or ""
    named = {queue or default for queue in queues}
    # Where nothing is named, Celery's routes decide; without any, it is this one queue.
    own = {"" if executor.app.conf.task_routes else str(executor.app.conf.task_default_queue)}
    return {name for queue in named for name in ({queue} if queue else own) if name}


def _public(app: Any) -> str:
    return str(app.connection_for_write().as_uri())  # without the password


def _list(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"
