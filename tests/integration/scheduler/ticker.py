"""``python -m tests.integration.scheduler.ticker``: a scheduler and worker that the test steps.

For each moment on standard input: tick while there is work, then try to start and finish everything that is claimed,
also by other processes. Answers with a line of JSON: what it claimed and started.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from uuid import uuid4

import django

SAMPLE = 8  # runs that each process tries to start before its next query


def race(now: dt.datetime) -> dict[str, list[str]]:
    from chroniker import lifecycle
    from chroniker.models import Run, Status
    from chroniker.scheduler.tick import tick

    claimed = []
    while runs := tick(now=now).claimed:
        claimed += runs
    mine, started = uuid4(), []
    while waiting := list(Run.objects.filter(status=Status.CLAIMED).order_by("?")[:SAMPLE]):
        for run in waiting:
            if lifecycle.start(run.pk, run.token, mine, host=str(os.getpid()), pid=os.getpid()):
                started.append(str(run.pk))
                assert lifecycle.finish(run.pk, run.token, mine, lifecycle.Outcome(Status.SUCCEEDED, exit_code=0))
    return {"claimed": [str(run.pk) for run in claimed], "started": started}


if __name__ == "__main__":
    django.setup()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(race(dt.datetime.fromisoformat(line.strip()))), flush=True)
