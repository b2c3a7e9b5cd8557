"""Dependencies between jobs."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker.models.base import WriteDatabaseManager
from chroniker.models.job import Job


class DependencyManager(WriteDatabaseManager["JobDependency"]):
    def get_by_natural_key(self, dependent: str, dependee: str) -> JobDependency:
        return self.get(dependent__name=dependent, dependee__name=dependee)


class JobDependency(models.Model):
    """``dependent`` waits for ``dependee``. A dependency may delay a run; it never starts one."""

    dependent = models.ForeignKey(Job, models.CASCADE, related_name="dependencies", verbose_name=_("dependent"))
    dependee = models.ForeignKey(Job, models.CASCADE, related_name="dependents", verbose_name=_("waits for"))
    wait_for_completion = models.BooleanField(
        _("until it has ended"), default=True, help_text=_("It has no open run and no pending retry.")
    )
    wait_for_success = models.BooleanField(
        _("until it succeeded"), default=True, help_text=_("Its latest attempt succeeded.")
    )
    wait_for_next_run = models.BooleanField(
        _("until its scheduled times have run"),
        default=True,
        help_text=_("Each of its scheduled times up to the dependent's own has run or was skipped."),
    )

    objects = DependencyManager()

    class Meta:
        # Not the default name: django-chroniker's table of that name was renamed, but its indexes keep their names,
        # which would conflict with ours.
        db_table = "chroniker_dependency"
        verbose_name = _("dependency")
        verbose_name_plural = _("dependencies")
        constraints = (
            models.UniqueConstraint(fields=["dependent", "dependee"], name="chroniker_dependency_once"),
            models.CheckConstraint(
                condition=~models.Q(dependent=models.F("dependee")), name="chroniker_dependency_not_on_itself"
            ),
        )

    def __str__(self) -> str:
        return f"{self.dependent_id} waits for {self.dependee_id}"

    def natural_key(self) -> tuple[str, str]:
        return (self.dependent.name, self.dependee.name)

    natural_key.dependencies = ["chroniker.job"]  # type: ignore[attr-defined]
