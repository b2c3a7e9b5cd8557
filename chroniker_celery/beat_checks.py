"""Checks of entries that are sent twice: by ``beat_schedule`` and by a job, or by each beat of another scheduler."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from celery import Celery
from django.core.checks import CheckMessage, Warning
from django.db import DatabaseError

from chroniker.conf import settings
from chroniker.exceptions import ExecutorError
from chroniker.executors import executors
from chroniker.models import Job
from chroniker_celery.checks import BEAT_SCHEDULER_PATH, is_our_scheduler
from chroniker_celery.executor import CeleryExecutor
from chroniker_celery.importing.celery_app import find_project_celery_app, import_task_modules

logger = logging.getLogger(__name__)

#: Entries that a message names.
MAX_NAMES_PER_MESSAGE = 10


def check_beat_entries(*, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Reports W008. Queries the database, so only with ``--database``."""
    if settings.database not in (databases or ()):
        return []
    try:
        app = find_project_celery_app()
        with suppress(Exception):  # any error of the project's modules: workers report it
            import_task_modules(app)  # entries may be added there, or when the app is finalized
        names = entries_with_job(app)
    except (DatabaseError, ExecutorError):  # migrate runs this before the tables exist; another check reports the app
        return []
    if not names:
        return []
    shown = ", ".join(f"“{name}”" for name in names[:MAX_NAMES_PER_MESSAGE]) + (
        ", …" if len(names) > MAX_NAMES_PER_MESSAGE else ""
    )
    message = f"These entries of beat_schedule are also jobs: {shown}."
    hint = (
        "Delete them from the settings. Until then our beat passes them over, and Celery's own beat sends them in "
        "addition to the jobs. To keep an entry, delete its job."
    )
    return [Warning(message, hint=hint, id="chroniker_celery.W008")]


def entries_with_job(app: Celery) -> list[str]:
    """Names of the entries from which a job was made, whether it is enabled or not."""
    from chroniker_celery.beat_entries import BEAT_ENTRY_ORIGIN_PREFIX  # late: every process registers this check

    origins = {f"{BEAT_ENTRY_ORIGIN_PREFIX}{name}": name for name in app.conf.beat_schedule}
    if not origins:
        return []
    made = Job.objects.filter(origin__startswith=BEAT_ENTRY_ORIGIN_PREFIX).values_list("origin", flat=True)
    return sorted(origins[origin] for origin in made if origin in origins)


def warn_if_beat_ticks_no_jobs(sender: Any, **kwargs: Any) -> None:
    """Say in the log of a beat with another scheduler that it ticks no jobs.

    The check W009 reports the same fault. But a system check does not see the scheduler that a command line names, or
    entries that are added when the app is finalized.
    """
    scheduler = type(sender.scheduler)
    apps = [found.app for alias in executors if isinstance(found := executors[alias], CeleryExecutor)]
    if sender.app in apps and not is_our_scheduler(scheduler):
        has_entries = bool(sender.app.conf.beat_schedule)
        logger.warning(
            "This beat ticks no jobs%s: its scheduler is %s. "
            'Set CELERY_BEAT_SCHEDULER to "%s". (chroniker_celery.W009)',
            ", and each beat like it sends every entry of beat_schedule" if has_entries else "",
            scheduler.__qualname__,
            BEAT_SCHEDULER_PATH,
        )
