"""Monitors: jobs that count the records that need attention."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker.models.base import WriteDatabaseManager
from chroniker.models.job import Job
from chroniker.models.querysets import JobQuerySet


class MonitorManager(WriteDatabaseManager.from_queryset(JobQuerySet)):  # type: ignore[misc]  # made at run time
    def get_queryset(self) -> models.QuerySet[Job]:
        # "IN (true)" for the index, as in ``claim_kinds``.
        monitors: models.QuerySet[Job] = super().get_queryset().filter(is_monitor__in=[True])
        return monitors


class Monitor(Job):
    """A job with ``is_monitor`` set. The admin lists monitors separately; they are edited like other jobs."""

    objects: ClassVar[MonitorManager] = MonitorManager()

    class Meta:
        proxy = True
        verbose_name = _("monitor")
        verbose_name_plural = _("monitors")
        default_permissions = ("view",)

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.is_monitor = True
        super().save(*args, **kwargs)
