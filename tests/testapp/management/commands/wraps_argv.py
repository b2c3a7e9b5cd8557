from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    """Overrides ``run_from_argv`` like commands of django-extensions: it removes arguments, then calls the original."""

    def run_from_argv(self, argv: list[str]) -> None:
        if "--" in argv:
            argv = argv[: argv.index("--")]
        super().run_from_argv([word for word in argv if word != "--own"])

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--colour", choices=("red", "green"))

    def handle(self, **options: Any) -> None:
        pass
