from __future__ import annotations

from typing import ClassVar

from django.db import models


class Sale(models.Model):
    """One sale of the shop; ``collect_sales`` writes them, ``report_sales`` reads them."""

    till = models.CharField(max_length=20)
    amount = models.DecimalField(max_digits=8, decimal_places=2)

    objects: ClassVar[models.Manager[Sale]] = models.Manager()

    def __str__(self) -> str:
        return f"{self.amount} at {self.till}"
