"""The latest activations of a job, with the runs that caused them and those that they got. Read-only."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from chroniker.models import Activation, Run

#: The most activations that are read, the newest first.
MAX_ACTIVATIONS = 25


@dataclass(frozen=True, slots=True)
class ActivationWithTokens:
    """``cause_token``, ``run_token``: ``None`` if there is no such run, or if it was deleted."""

    activation: Activation
    cause_token: int | None
    run_token: int | None


def fetch_latest_activations(job_id: int) -> list[ActivationWithTokens]:
    """The newest first. Two statements, one for a job without activations."""
    rows = list(Activation.objects.filter(target=job_id).order_by("-made_at", "-pk")[:MAX_ACTIVATIONS])
    ids = {pk for row in rows for pk in (row.cause, row.run) if pk is not None}
    tokens: dict[UUID, int] = dict(Run.objects.filter(pk__in=ids).values_list("pk", "token")) if ids else {}
    return [
        ActivationWithTokens(
            row, tokens.get(row.cause) if row.cause else None, tokens.get(row.run) if row.run else None
        )
        for row in rows
    ]
