from __future__ import annotations

from importlib import import_module
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Creates the tables, then the schedules by the function fill of a module."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("module")

    def handle(self, module: str, **options: Any) -> None:
        call_command("migrate", verbosity=0)
        import_module(module).fill()
