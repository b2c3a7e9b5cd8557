"""``python -m tests.integration.scheduler.group_claimer GROUP``: claim, start and finish jobs of a group in every way.

Ends when none of its jobs is due. Prints as JSON how many of its jobs were open at once, and how many runs it finished.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from typing import Any
from uuid import uuid4

import django


def work(group: int) -> dict[str, int]:
    from chroniker import lifecycle
    from chroniker.exceptions import ClaimRefused
    from chroniker.models import Job, JobState, Lease, Run, Status
    from chroniker.scheduler.manual_runs import run_now
    from chroniker.scheduler.tick import claim_after_run, tick

    def look(runs: list[Any]) -> None:
        seen["most"] = max(seen["most"], Lease.objects.filter(job__group=group, slot="").count())
        waiting.extend(runs)

    def finish(run: Run) -> None:
        nonce = uuid4()
        if lifecycle.start(run.pk, run.token, nonce, host=str(os.getpid()), pid=os.getpid()):
            ends = Status.FAILED if run.attempt == 1 and run.token % 2 else Status.SUCCEEDED
            assert lifecycle.finish(run.pk, run.token, nonce, lifecycle.Outcome(ends))
            seen["finished"] += 1

    seen, waiting = {"most": 0, "finished": 0}, list[Run]()
    ids = list(Job.objects.filter(group=group).values_list("pk"))
    due = JobState.objects.filter(job__group=group, next_run__isnull=False)
    while due.exists() or waiting:
        look(tick().claimed)
        try:
            look([run_now(Job.objects.get(pk=random.choice(ids)[0]), "the race")])
        except ClaimRefused:
            seen["refused"] = seen.get("refused", 0) + 1
        time.sleep(0.02)  # long enough that a group over its limit would be seen
        for run in [waiting.pop() for _each in waiting[:1]]:
            finish(run)
            look(claim_after_run(run.job_id).claimed)
    return seen


if __name__ == "__main__":
    django.setup()
    print(json.dumps(work(int(sys.argv[1]))))
