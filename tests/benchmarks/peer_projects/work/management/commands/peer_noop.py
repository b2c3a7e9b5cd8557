from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from work import report_start


class Command(BaseCommand):
    help = "Reports the time of its start."

    def handle(self, **options: Any) -> None:
        report_start()
