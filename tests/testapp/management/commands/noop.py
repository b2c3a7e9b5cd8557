from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Do nothing, well."

    def handle(self, *args: Any, **options: Any) -> None:
        pass
