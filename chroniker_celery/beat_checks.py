"""The system check of entries that are sent twice: by ``beat_schedule`` and by a job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celery import Celery
from django.core.checks import CheckMessage, Warning
from django.db import DatabaseError

from chroniker.conf import settings
from chroniker.exceptions import ExecutorError
from chroniker.models import Job
from chroniker_celery.beat_entries import ORIGIN
from chroniker_celery.importing.celery_app import project_app

#: Entries that a message names.
MAX_NAMED = 10


def check_entries(*, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """W008. Queries the database, so only with ``--database``."""
    if settings.database not in (databases or ()):
        return []
    try:
        names = double_entries(project_app())
    except (DatabaseError, ExecutorError):  # migrate runs this before the tables exist; another check reports the app
        return []
    if not names:
        return []
    shown = ", ".join(f"“{name}”" for name in names[:MAX_NAMED]) + (", …" if len(names) > MAX_NAMED else "")
    message = f"These entries of beat_schedule are also jobs: {shown}."
    hint = (
        "Delete them from the settings. Until then our beat passes them over, and Celery's own beat sends them in "
        "addition to the jobs. To keep an entry, delete its job."
    )
    return [Warning(message, hint=hint, id="chroniker_celery.W008")]


def double_entries(app: Celery) -> list[str]:
    """Names of the entries from which a job was made, whether it is enabled or not."""
    origins = {f"{ORIGIN}{name}": name for name in app.conf.beat_schedule}
    if not origins:
        return []
    made = Job.objects.filter(origin__startswith=ORIGIN).values_list("origin", flat=True)
    return sorted(origins[origin] for origin in made if origin in origins)
