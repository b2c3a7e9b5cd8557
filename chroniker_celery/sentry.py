"""The name of a run's job in Sentry, where the project uses it."""

from __future__ import annotations

import logging
import sys
from typing import Any

from chroniker.escaping import to_one_line

logger = logging.getLogger(__name__)


def set_sentry_transaction_name(job_name: str, run_id: str) -> None:
    """Name the transaction after the job, with job and run as tags. Does nothing where Sentry's SDK is not loaded.

    All runs have one task, whose name Sentry would show.
    """
    sentry: Any = sys.modules.get("sentry_sdk")
    if sentry is None or not job_name:
        return
    try:
        scope = sentry.get_current_scope()
        scope.set_transaction_name(job_name, source="task")
        scope.set_tag("chroniker.job", job_name)
        scope.set_tag("chroniker.run", run_id)
    except Exception as error:  # another version of the SDK: a run does not depend on it
        logger.warning("Sentry does not show the name of run %s: %s", run_id, to_one_line(error))
