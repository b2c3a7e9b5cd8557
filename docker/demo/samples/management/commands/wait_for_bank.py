from __future__ import annotations

import signal
import time
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Waits for an answer that never comes, and ignores SIGTERM: only SIGKILL ends it."

    def handle(self, **options: Any) -> None:
        signal.signal(signal.SIGTERM, self.refuse)
        while True:
            self.stdout.write("No answer yet.")
            time.sleep(1)

    def refuse(self, signum: int, frame: FrameType | None) -> None:
        self.stderr.write("Ignored SIGTERM.")
