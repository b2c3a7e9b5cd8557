from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tests.testapp.fencing_page import effects


class Command(BaseCommand):
    help = "Do what docs/how-to/fencing.md shows, and again when there is a file “again”; write down what came of it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", type=Path)
        parser.add_argument("url", help="of the service")

    def handle(self, *args: Any, directory: Path, url: str, **options: Any) -> None:
        token = os.environ["CHRONIKER_RUN_TOKEN"]
        (directory / f"{token}.pid").write_text(str(os.getpid()))
        self.try_all(directory, url, f"{token}.first")
        while not (directory / "again").exists():
            time.sleep(0.05)
        self.try_all(directory, url, f"{token}.again")
        time.sleep(60)

    def try_all(self, directory: Path, url: str, name: str) -> None:
        draft = directory / f"{name}.draft"
        draft.write_text(json.dumps(effects(directory, url)))
        draft.replace(directory / name)
