"""A monitor's report about its own run: how many records need attention."""

from __future__ import annotations

import os
from uuid import UUID

from chroniker import lifecycle
from chroniker.models import Job
from chroniker.process.run_spec import RUN_ID_VARIABLE, RUN_TOKEN_VARIABLE


def record_attention_count(records: int) -> bool:
    """See ``chroniker.needs_attention``."""
    run_id = _read_run_id()
    return run_id is not None and lifecycle.record_monitor_count(
        run_id, int(os.environ.get(RUN_TOKEN_VARIABLE, "0")), records
    )


def current_job() -> Job | None:
    """The job whose run this process is part of; ``None`` outside a run."""
    run_id = _read_run_id()
    return Job.objects.filter(runs=run_id).first() if run_id else None


def _read_run_id() -> UUID | None:
    try:
        return UUID(os.environ.get(RUN_ID_VARIABLE, ""))
    except ValueError:
        return None
