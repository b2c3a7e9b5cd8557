from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone


class Command(BaseCommand):
    help = "Prints the time."

    def handle(self, **options: Any) -> None:
        self.stdout.write(f"It is {timezone.localtime():%H:%M:%S.%f}.")
