"""Runs go to Celery workers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar
from uuid import UUID

from celery import Celery, current_app
from django.core.checks import CheckMessage
from kombu.utils.imports import symbol_by_name

from chroniker.conf import settings
from chroniker.exceptions import ExecutorError
from chroniker.executors.base import Executor
from chroniker.models import Run
from chroniker.worker.wake_socket import wake
from chroniker_celery import checks, diagnosis, publish

#: Seconds: to connect to the broker, and then for each operation.
TIMEOUT = 5.0


class CeleryExecutor(Executor):
    """Sends runs as messages to the workers of a Celery app. ``OPTIONS``, each of them optional:

    ``app``: where the Celery app is, ``"project.celery:app"``; without it, the process's current app.
    ``queue``: for jobs that name none; without it, where Celery's settings route the task.
    ``timeout``: seconds after which a broker that does not answer counts as gone (5).
    """

    supports_queues: ClassVar[bool] = True
    supports_priority: ClassVar[bool] = True

    @property
    def app(self) -> Celery:
        """Raises ``ExecutorError`` when there is no such app."""
        path = self.options.get("app")
        if path is None:
            found: object = current_app._get_current_object()  # type: ignore[attr-defined]
        else:
            try:
                found = symbol_by_name(path)
            except (ImportError, AttributeError, ValueError) as error:
                raise ExecutorError(f"The Celery app {path!r} cannot be imported: {error}") from error
        if not isinstance(found, Celery):
            raise ExecutorError(f"{path!r} is no Celery app.")
        return found

    @property
    def timeout(self) -> float:
        return float(self.options.get("timeout", TIMEOUT))

    def dispatch(self, runs: Sequence[Run]) -> Collection[UUID]:
        app = self.app
        if app.conf.task_always_eager:
            raise ExecutorError("Celery's task_always_eager is on; runs need workers.")
        if not runs:
            return []
        queue = str(self.options.get("queue", ""))
        letters = [
            publish.RunMessage(run.pk, run.token, run.job.queue or queue, run.job.priority, run.required_host)
            for run in runs
        ]
        return publish.publish(app, letters, timeout=self.timeout)

    def request_stop(self, run_id: UUID) -> None:
        """To the supervisor, if it is on this host, else to all workers, without waiting for them: 2 s at most."""
        if not wake(settings.runtime_dir, run_id):
            publish.wake(self.app, run_id, timeout=min(self.timeout, 2.0))

    def check(self) -> list[CheckMessage]:
        return checks.check_executor(self)

    def diagnose(self, queues: Collection[str]) -> list[CheckMessage]:
        return diagnosis.diagnose(self, queues)
