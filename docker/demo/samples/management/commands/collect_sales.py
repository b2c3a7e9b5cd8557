from __future__ import annotations

import random
import time
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand

import chroniker
from chroniker.models import Job
from samples.models import Sale

TILLS = ("north", "south", "web")


class Command(BaseCommand):
    help = "Collects the sales of all tills, then replaces the contents of the table."

    def handle(self, **options: Any) -> None:
        sales: list[Sale] = []
        for done, till in enumerate(TILLS, 1):
            time.sleep(1)
            amounts = [Decimal(random.randint(100, 9999)) / 100 for _ in range(random.randint(3, 9))]
            sales += [Sale(till=till, amount=amount) for amount in amounts]
            self.stdout.write(f"{len(amounts)} sales at till {till}")
            Job.update_progress(total_parts=len(TILLS), total_parts_complete=done)
        # Commits only if this run still holds its lease.
        with chroniker.fence():
            Sale.objects.all().delete()
            Sale.objects.bulk_create(sales)
        self.stdout.write(f"{len(sales)} sales collected")
