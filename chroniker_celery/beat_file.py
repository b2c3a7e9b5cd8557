"""The file in which Celery's own beat stores when it sent each entry of ``beat_schedule``."""

from __future__ import annotations

import datetime as dt
import logging
import shelve  # nosec B403  # as Celery itself reads it
from contextlib import closing

from chroniker.escaping import to_one_line

logger = logging.getLogger(__name__)


def read_last_sent_times(path: str) -> dict[str, dt.datetime]:
    """When Celery's own scheduler sent each entry; empty without a usable file.

    The file is a pickle: as Celery does, this trusts the directory in which beat runs.
    """
    try:
        with closing(shelve.open(path, flag="r")) as stored:  # nosec B301
            entries = dict(stored.get("entries") or {})
    except Exception as error:  # there is no such file, another beat has it open, or another Python wrote it
        if not _is_missing_file_error(error):
            logger.warning("The times in the beat file %s cannot be read: %s", path, to_one_line(error))
        return {}
    moments = {name: getattr(entry, "last_run_at", None) for name, entry in entries.items()}
    return {name: moment for name, moment in moments.items() if isinstance(moment, dt.datetime) and moment.tzinfo}


def _is_missing_file_error(error: Exception) -> bool:
    return isinstance(error, FileNotFoundError) or "doesn't exist" in str(error)
