from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count, Sum

from samples.models import Sale


class Command(BaseCommand):
    help = "Sums up the sales that collect_sales collected."

    def handle(self, **options: Any) -> None:
        tills = Sale.objects.values("till").annotate(sales=Count("pk"), total=Sum("amount")).order_by("till")
        if not tills:
            raise CommandError("No sales have been collected.")
        for row in tills:
            self.stdout.write(f"{row['till']:<6} {row['sales']:>3} sales {row['total']:>9}")
