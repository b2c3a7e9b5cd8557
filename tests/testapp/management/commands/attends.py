from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

import chroniker


class Command(BaseCommand):
    help = "Says how many records need attention."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("records", type=int)

    def handle(self, *, records: int, **options: Any) -> None:
        chroniker.needs_attention(records)
