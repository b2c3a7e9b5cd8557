from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand


class CardDeclined(Exception):
    """The bank declined the card."""


class Command(BaseCommand):
    help = "Always fails, with a traceback."

    def handle(self, **options: Any) -> None:
        self.stdout.write("Charging 12.50 …")
        raise CardDeclined("The bank declined the card ending in 4242.")
