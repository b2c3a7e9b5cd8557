from __future__ import annotations

import logging
from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Log a debug line, an info line and a warning."

    def handle(self, *args: Any, **options: Any) -> None:
        logger = logging.getLogger("tests.testapp")
        logger.debug("a detail from the command")
        logger.info("news from the command")
        logger.warning("a warning from the command")
