"""What cron does for django-chroniker: ``manage.py cron`` at each full minute, also while one still runs."""

from __future__ import annotations

import subprocess
import sys
import time

started: list[subprocess.Popen[bytes]] = []
while True:
    time.sleep(60 - time.time() % 60)
    started = [each for each in started if each.poll() is None]
    started.append(subprocess.Popen([sys.executable, "-m", "django", "cron"]))
    for _each in range(50):  # collect ended processes each second, so that their processor time is counted
        time.sleep(1)
        started = [each for each in started if each.poll() is None]
