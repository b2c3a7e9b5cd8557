from __future__ import annotations

import atexit
import threading
import time
from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Leave work to a thread and to an exit function, without flushing any of it."

    def handle(self, *args: Any, **options: Any) -> None:
        atexit.register(print, "atexit")
        threading.Thread(target=self.work).start()
        print("handled", end=" ")

    def work(self) -> None:
        time.sleep(0.2)
        print("thread", end=" ")
