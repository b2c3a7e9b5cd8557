"""Changes of jobs by querysets. They mark the jobs for booking by the next tick, as ``Job.save`` does."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, TypeVar

from django.apps import apps
from django.db import models, transaction

from chroniker.clock.database_clock import NowPlus
from chroniker.exceptions import DeletionRefused
from chroniker.models.schedule_fields import FIELDS_THAT_CAUSE_BOOKING, ScheduleFields

J = TypeVar("J", bound=ScheduleFields)


def lock_states_and_refuse_open_runs(job_ids: Collection[int], using: str) -> None:
    """Lock these jobs' states, so that none is claimed before this transaction ends. Raises if one has an open run."""
    state, lease = apps.get_model("chroniker", "JobState"), apps.get_model("chroniker", "Lease")
    states = state._base_manager.using(using).filter(pk__in=job_ids).order_by("pk")
    list(states.select_for_update().values_list("pk", flat=True))
    if lease._base_manager.using(using).filter(job__in=job_ids).exists():
        raise DeletionRefused


class JobQuerySet(models.QuerySet[J]):
    def update(self, **fields: Any) -> int:
        """As in Django. A change of the schedule or of ``enabled`` also marks the job for booking by the next tick.

        Enabling a job cancels a deletion that waits for the end of a run.
        """
        if FIELDS_THAT_CAUSE_BOOKING & fields.keys():
            fields.setdefault("edited_at", NowPlus())
        if fields.get("enabled"):
            fields.setdefault("deletion_requested_at", None)
        return super().update(**fields)

    def delete(self) -> tuple[int, dict[str, int]]:
        """As in Django. Raises ``DeletionRefused`` if one of the jobs has an open run."""
        with transaction.atomic(using=self.db):
            lock_states_and_refuse_open_runs(list(self.values_list("pk", flat=True)), self.db)
            return super().delete()

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def bulk_update(self, objs: Iterable[J], fields: Iterable[str], batch_size: int | None = None) -> int:
        objs, fields = list(objs), set(fields)
        if fields & FIELDS_THAT_CAUSE_BOOKING:
            fields |= {"edited_at", "deletion_requested_at"} if "enabled" in fields else {"edited_at"}
            for job in objs:
                job.edited_at = NowPlus()
                job.deletion_requested_at = None if job.enabled else job.deletion_requested_at
        changed = super().bulk_update(objs, sorted(fields), batch_size)
        defer_edited_at(objs)
        return changed

    def bulk_create(self, objs: Iterable[J], *args: Any, **kwargs: Any) -> list[J]:
        objs = list(objs)
        for job in objs:
            job.edited_at = NowPlus()
        created = super().bulk_create(objs, *args, **kwargs)
        defer_edited_at(objs)
        return created


def defer_edited_at(jobs: Iterable[J]) -> None:
    """Make ``edited_at`` of these jobs a deferred field: the database has set it, and the next use reads it."""
    for job in jobs:
        if job.pk is not None:  # MySQL does not return the ids of rows that were inserted together
            job.__dict__.pop("edited_at", None)
