from __future__ import annotations

import logging
import subprocess
import time
from typing import Any

from django.core.management.base import BaseCommand

logger = logging.getLogger("shop.output")


class Command(BaseCommand):
    help = "Writes to all outputs: standard output, standard error, logging, and the output of a started program."

    def handle(self, **options: Any) -> None:
        for number in range(1, 6):
            self.stdout.write(f"{number}: on standard output, héllo 你好 👋")
            self.stderr.write(f"{number}: on standard error")
            logger.info("%d: through logging", number)
            logger.warning("%d: through logging, as a warning", number)
            subprocess.run(["echo", f"{number}: from a program that was started"], check=True)
            time.sleep(0.5)
        print("… and a last line that does not end", end="")
