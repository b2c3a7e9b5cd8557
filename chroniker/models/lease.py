"""Leases: the exclusive right to be the running instance of a job and slot."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker.models.base import WriteDatabaseManager
from chroniker.models.job import Job
from chroniker.models.run import Run


class Lease(models.Model):
    """Exists only while its run is open. (job, slot) is unique, so a second instance cannot be claimed.

    Why its own table: MySQL and MariaDB have no unique constraint with a condition; renewals write to a small table
    only; and user code may lock the run without blocking renewals.

    Before the start of the run it expires at the start deadline; afterwards it expires unless it is renewed.
    """

    run = models.OneToOneField(Run, models.CASCADE, primary_key=True, related_name="lease")
    # Its run has a constraint of the database. A second one would be tested, and lock the job's row, at each claim.
    job = models.ForeignKey(Job, models.CASCADE, related_name="leases", db_index=False, db_constraint=False)
    slot = models.CharField(max_length=100, blank=True)
    token = models.BigIntegerField()
    nonce = models.UUIDField(null=True)
    expires_at = models.DateTimeField(db_index=True)
    seconds = models.FloatField(null=True, help_text=_("How long a renewal lasts, by the settings of its holder."))
    total_parts = models.BigIntegerField(null=True)
    total_parts_complete = models.BigIntegerField(null=True)

    objects = WriteDatabaseManager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["job", "slot"], name="chroniker_lease_one_instance"),)

    def __str__(self) -> str:
        return f"lease of run {self.run_id}"
