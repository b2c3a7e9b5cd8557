"""The app: registers the task, and adds the parts for runs to each worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery.signals import beat_init, worker_init
from django.apps import AppConfig
from django.core import checks
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from celery.worker import WorkController


class ChronikerCeleryConfig(AppConfig):
    name = "chroniker_celery"
    verbose_name = _("Scheduled jobs on Celery")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the task, and equip workers when they start. Works with and without ``app.autodiscover_tasks()``."""
        from chroniker.checks import CHECK_TAG
        from chroniker.job_commands import argument_rules, hand_over, pickers
        from chroniker_celery import tasks  # noqa: F401  a shared task: every Celery app gets it
        from chroniker_celery.beat_checks import check_beat_entries, warn_if_beat_ticks_no_jobs
        from chroniker_celery.task_call import TASK_COMMAND_NAME, find_argument_problem, sends_task
        from chroniker_celery.task_picker import CELERY_TASK_PICKER

        pickers.register(CELERY_TASK_PICKER)
        argument_rules.register(TASK_COMMAND_NAME, find_argument_problem)
        hand_over.register(TASK_COMMAND_NAME, sends_task)
        checks.register(check_beat_entries, CHECK_TAG, checks.Tags.database)
        beat_init.connect(warn_if_beat_ticks_no_jobs, dispatch_uid="chroniker_celery.warn_at_start")
        worker_init.connect(prepare_worker_for_runs, dispatch_uid="chroniker_celery.equip")


def prepare_worker_for_runs(sender: WorkController, **kwargs: Any) -> None:
    try:
        from chroniker_celery import worker  # late: a process that only sends messages does not load Celery's worker

        worker.prepare_worker_for_runs(sender)
    except Exception as error:  # Celery would log it and start a worker that cannot supervise runs
        raise SystemExit(f"This worker cannot execute scheduled jobs: {error!r}") from error
