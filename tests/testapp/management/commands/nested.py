from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Have a subcommand."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_subparsers(dest="what", required=True).add_parser("add")
        add.add_argument("--size", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(options["what"])
