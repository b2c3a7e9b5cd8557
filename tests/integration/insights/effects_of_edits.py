"""The effects of an edit, as they are shown."""

from __future__ import annotations

import copy
from typing import Any

from chroniker.insights.what_if import EditEffects, compute_edit_effects, fetch_saved_job
from chroniker.models import Job


def shown_for(job: Job, **fields: Any) -> EditEffects:
    """The forecast of saving these values."""
    saved = fetch_saved_job(job.pk)
    assert saved is not None
    return compute_edit_effects(edited(saved, **fields), saved)


def edited(job: Job, **fields: Any) -> Job:
    """A copy with other values, as a form makes it."""
    changed = copy.copy(job)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed
