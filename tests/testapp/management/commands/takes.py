from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser


def converted(text: str) -> str:
    """A conversion of a command with a side effect: it leaves a trace."""
    Path(text).write_text("converted")
    return text


class Leaves(argparse.Action):
    """An action of a command with a side effect: it leaves a trace."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        Path(str(values)).write_text("acted")


class Command(BaseCommand):
    help = "Take every kind of argument that there is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("word")
        parser.add_argument("more", nargs="*", help="as many as 100% you like")
        parser.add_argument("--colour", choices=["red", "green"], required=True, help="the %(dest)s of it")
        parser.add_argument("--number", "-n", type=int, default=7, metavar="N")
        parser.add_argument("--pair", nargs=2, metavar=("FROM", "TO"))
        parser.add_argument("--output", type=argparse.FileType("w"))
        parser.add_argument("--convert", type=converted)
        parser.add_argument("--leave", action=Leaves)
        parser.add_argument("--hidden", help=argparse.SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{options['word']} {options['more']}")
