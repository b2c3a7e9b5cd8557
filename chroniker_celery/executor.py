"""The executor that sends runs to Celery workers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar
from uuid import UUID

from celery import Celery, current_app
from django.core.checks import CheckMessage
from kombu.utils.imports import symbol_by_name

from chroniker.conf import settings
from chroniker.exceptions import ExecutorError
from chroniker.executors.base import Executor, dispatch_step_timeout
from chroniker.models import Job, Run
from chroniker.worker.wake_socket import wake_supervisor
from chroniker_celery import checks, diagnosis, publish, results
from chroniker_celery.queues import HOST_QUEUE_PREFIX

#: Seconds to connect to the broker, and then for each operation.
DEFAULT_TIMEOUT_SECONDS = 5.0
#: The same for the message that wakes the supervisor of a run to stop. The stop itself is in the database.
STOP_MESSAGE_TIMEOUT_SECONDS = 0.5
#: The same for the message that a host is draining.
DRAIN_MESSAGE_TIMEOUT_SECONDS = 3.0


class CeleryExecutor(Executor):
    """Sends runs as messages to the workers of a Celery app. All ``OPTIONS`` are optional:

    ``app``: path of the Celery app, ``"project.celery:app"``. Default: the process's current app.
    ``queue``: for jobs without a queue. Default: Celery's routing of the task.
    ``timeout``: seconds after which a broker that does not answer counts as down (5).
    ``results``: whether workers store the result of a run in the app's result backend (True). The run's record has it
    in any case.
    """

    supports_queues: ClassVar[bool] = True
    supports_priority: ClassVar[bool] = True

    @property
    def app(self) -> Celery:
        """The Celery app. Raises ``ExecutorError`` if it cannot be imported."""
        path = self.options.get("app")
        if path is None:
            found: object = current_app._get_current_object()  # type: ignore[attr-defined]
        else:
            try:
                found = symbol_by_name(path)
            except (ImportError, AttributeError, ValueError) as error:
                raise ExecutorError(f"The Celery app {path!r} cannot be imported: {error}") from error
        if not isinstance(found, Celery):
            raise ExecutorError(f"{path!r} is not a Celery app.")
        return found

    @property
    def queue(self) -> str:
        """The queue of jobs that name no queue. Empty: Celery's routing decides."""
        return str(self.options.get("queue") or "")

    @property
    def timeout(self) -> float:
        return float(self.options.get("timeout", DEFAULT_TIMEOUT_SECONDS))

    @property
    def stores_results(self) -> bool:
        return bool(self.options.get("results", True))

    def dispatch(self, runs: Sequence[Run]) -> Mapping[UUID, str]:
        app = self.app
        if app.conf.task_always_eager:
            raise ExecutorError("Celery's task_always_eager is on; runs need workers.")
        if not runs:
            return {}
        timeout = min(self.timeout, dispatch_step_timeout())
        return publish.publish(app, [self._message_of(run) for run in runs], timeout=timeout)

    def _message_of(self, run: Run) -> publish.RunMessage:
        job = run.job
        queue = job.queue or self.queue
        return publish.RunMessage(
            run.pk, run.token, queue, job.priority, run.required_host, job.name, self.stores_results
        )

    def queue_for(self, job: Job) -> str | None:
        try:
            routes = self.app.conf.task_routes
            default = str(self.app.conf.task_default_queue)
        except ExecutorError:
            return None
        if job.hostname:
            return f"{HOST_QUEUE_PREFIX}{job.hostname}"
        return job.queue or self.queue or (None if routes else default)

    def request_stop(self, run_id: UUID) -> None:
        """Wake the run's supervisor: directly if it is on this host, else by a message to all workers."""
        if not wake_supervisor(settings.runtime_dir, run_id):
            publish.send_wake_command(self.app, run_id, timeout=min(self.timeout, STOP_MESSAGE_TIMEOUT_SECONDS))

    def stop_or_continue_consuming(self, worker: str, queues: Sequence[str], *, stop: bool) -> None:
        """By Celery's own control commands. Messages that the worker has received already go to other workers."""
        command = "cancel_consumer" if stop else "add_consumer"
        for queue in queues:
            publish.send_control_command(
                self.app, command, {"queue": queue}, [worker], timeout=min(self.timeout, DRAIN_MESSAGE_TIMEOUT_SECONDS)
            )

    def forget(self, run_ids: Collection[UUID]) -> None:
        """Delete the results of their tasks, if django-celery-results has them. Other backends have expiry times."""
        results.delete_results(self.app, run_ids)

    def delete_data_of_deleted_runs(self, before: dt.datetime) -> int:
        """Delete the results that ``forget`` has left behind, if they have the name of our task."""
        return results.delete_orphaned_results(self.app, before)

    def check(self) -> list[CheckMessage]:
        try:
            app = self.app
        except ExecutorError as error:
            return [*checks.check_options(self.alias, self.options), checks.invalid_app_message(error)]
        found = [*checks.check_options(self.alias, self.options), *checks.check_app(app)]
        return [*found, *checks.check_result_backend(app)] if self.stores_results else found

    def diagnose(self, queues: Collection[str]) -> list[CheckMessage]:
        try:
            app = self.app
        except ExecutorError:
            return []  # ``check`` reports it
        return diagnosis.diagnose(app, self.queue, queues, timeout=self.timeout)
