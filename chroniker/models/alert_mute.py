"""Mutes: for some time no messages about the alerts of a job, of a group or of all jobs. Also maintenance windows."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from chroniker.models.base import WriteDatabaseManager
from chroniker.models.group import Group
from chroniker.models.job import Job


class AlertMute(models.Model):
    """From its beginning until its end, alerts are raised and shown, and no message reports them.

    Without a job and a group, it applies to all jobs. A mute that begins later is a maintenance window.
    """

    job = models.ForeignKey(
        Job, models.CASCADE, null=True, blank=True, related_name="alert_mutes", verbose_name=_("job")
    )
    group = models.ForeignKey(
        Group, models.CASCADE, null=True, blank=True, related_name="alert_mutes", verbose_name=_("group")
    )
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"), db_index=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    muted_by = models.CharField(_("muted by"), max_length=150, blank=True, editable=False)

    objects = WriteDatabaseManager()

    class Meta:
        verbose_name = _("mute")
        verbose_name_plural = _("mutes")
        ordering = ("-ends_at",)
        constraints = (
            models.CheckConstraint(condition=Q(ends_at__gte=F("starts_at")), name="chroniker_mute_ends_after_start"),
            models.CheckConstraint(
                condition=Q(job__isnull=True) | Q(group__isnull=True), name="chroniker_mute_job_or_group"
            ),
        )

    def __str__(self) -> str:
        return str(self.job or self.group or _("all jobs"))

    def clean(self) -> None:
        super().clean()
        if self.job_id is not None and self.group_id is not None:
            raise ValidationError({"group": _("Choose a job or a group, or neither for all jobs.")})
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValidationError({"ends_at": _("The end must be after the beginning.")})
