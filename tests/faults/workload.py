"""The jobs that run while faults are injected: short, long, chatty, deaf to SIGTERM, waiting, retried, a task."""

from __future__ import annotations

import json
import random
import shlex
from typing import Any

from chroniker.models import EVERY_HOST, Group, Job, JobDependency, JobTrigger, TriggerOn
from tests.faults import tables

KINDS: dict[str, dict[str, Any]] = {
    "short": {"args": ""},
    "long": {"args": "--seconds 4", "overlap": "SKIP"},
    "longer": {"args": "--seconds 20", "retry_on_lost": True, "retry_backoff_seconds": 1},
    "chatty": {"args": "--seconds 1 --lines 4000"},
    "deaf": {"args": "--lines 4000 --talk --seconds 30 --deaf", "timeout_seconds": 3},
    "everywhere": {"args": "--seconds 1", "hostname": EVERY_HOST},
    "daemon": {"args": "--seconds 1 --daemon"},
    "fenced": {"args": "--seconds 2 --fenced", "retry_on_lost": True, "retry_backoff_seconds": 1},
    "grouped": {"args": "--seconds 2"},
    "failing": {"args": "--seconds 1 --lines 500 --fail", "max_retries": 2, "retry_backoff_seconds": 1},
    "replaced": {"args": "--lines 4000 --talk --seconds 12", "overlap": "REPLACE"},
    "strict": {"args": "--seconds 1", "misfire_grace_seconds": 5},
    "each": {"args": "--seconds 2", "catch_up": "EACH", "misfire_grace_seconds": 3600, "max_retries": 1},
    "latest": {"args": "--seconds 2", "catch_up": "LATEST", "retry_on_lost": True, "retry_backoff_seconds": 1},
    "held": {"args": "--seconds 1 --fail", "hold_on_failure": True},
    "task": {"task": {"seconds": 1, "lines": 500, "fail": True}, "max_retries": 2, "retry_backoff_seconds": 1},
    "dependent": {"args": ""},
    "triggered": {"args": "--seconds 1"},
}
#: Due at every moment: the next one begins as soon as anybody believes that the one before is over.
RESTLESS: dict[str, Any] = {"args": "--seconds 20"}
RESTLESS_JOBS = 2
EVERY_SECOND = "* * * * * *"
#: These run when a fault says so.
ON_DEMAND: dict[str, dict[str, Any]] = {
    "hydra": {"args": "--seconds 2 --hydra 4", "timeout_seconds": 20},
    "horde": {"args": "--seconds 3 --hydra 24", "timeout_seconds": 60},
    f"flood {1 << 25}": {"args": f"--flood {1 << 25}", "log_max_bytes": 100_000},
    f"flood {1 << 30}": {"args": f"--flood {1 << 30}", "log_max_bytes": 1_000_000},
    "murmur": {"args": "--murmur --seconds 20", "timeout_seconds": 4},
}
NEVER = "0 0 0 29 2 *"
LONGEST = 25.0  #: seconds that a run of any of the scheduled jobs takes, its stop included

#: So many jobs run all the time; the others, every few minutes, and not all in the same one. Those that run long are
#: due again before they end. Two processors are to have time left: what waits does so for a fault, not for its turn.
FREQUENT = 2 * len(KINDS)
RARE_MINUTES = (6, 10, 12, 15)
LONG_KINDS = ("long", "longer", "replaced", "grouped")
GROUP_LIMIT = 2


def create_jobs(rng: random.Random, jobs: int) -> None:
    """So many jobs, of each kind in turn."""
    tables.create()
    group = Group.objects.create(name="few at a time", limit=GROUP_LIMIT)
    made: list[Job] = []
    for number in range(jobs):
        kind = list(KINDS)[number % len(KINDS)]
        fields = {**KINDS[kind], "group": group if kind == "grouped" else None}
        cron = NEVER if kind == "triggered" else _cron(rng, kind, hot=number < FREQUENT)
        made.append(_job(f"{kind} {number}", cron, fields))
        if kind == "triggered":
            JobTrigger.objects.create(source=made[-2], target=made[-1], on=TriggerOn.ENDED)
        if kind == "dependent":
            JobDependency.objects.create(
                dependent=made[-1], dependee=made[-2], wait_for_success=False, wait_for_next_run=rng.random() < 0.5
            )
    made += [_job(f"restless {number}", EVERY_SECOND, RESTLESS) for number in range(RESTLESS_JOBS)]
    made += [_job(name, NEVER, fields) for name, fields in ON_DEMAND.items()]
    tables.start_timelines(made, [group])


def _job(name: str, cron: str, fields: dict[str, Any]) -> Job:
    """Of the command ``labour``, or of the Celery task that calls it and asks for a retry when it fails."""
    others = {key: value for key, value in fields.items() if key not in ("args", "task")}
    if "task" in fields:
        words = ["testapp.labour", "--args", json.dumps([name]), "--kwargs", json.dumps(fields["task"])]
        others |= {"command": "run_celery_task", "args": shlex.join(words)}
    else:
        others |= {"command": "labour", "args": f"'{name}' {fields['args']}"}
    return Job.objects.create(name=name, cron=cron, timezone="UTC", **others)


def _cron(rng: random.Random, kind: str, *, hot: bool) -> str:
    """With seconds."""
    if hot:
        return f"*/{rng.choice((5, 10) if kind in LONG_KINDS else (15, 20, 30))} * * * * *"
    every = rng.choice(RARE_MINUTES)  # minutes
    return f"{rng.randrange(60)} {rng.randrange(every)}-59/{every} * * * *"


def request_run(name: str) -> None:
    """Let this job run once, as soon as it can."""
    Job.objects.filter(name=name).update(force_run=True)
