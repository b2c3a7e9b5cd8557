from __future__ import annotations

import logging
from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Log a warning."

    def handle(self, *args: Any, **options: Any) -> None:
        logging.getLogger("tests.testapp").warning("a warning from the command")
