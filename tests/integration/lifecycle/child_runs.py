"""A parent run and its child runs, one for each live host."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import uuid4

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome
from chroniker.models import EVERY_HOST, HostService, Run, Status
from chroniker.scheduler.tick import tick
from tests.support.factories import a_due_job

NAMES = ["web1", "web2", "web3"]


def a_parent_with_children(**fields: Any) -> tuple[Run, list[Run]]:
    """The parent and its children, by the name of their host."""
    job = a_due_job(hostname=EVERY_HOST, **fields)
    parent, *children = [run for run in tick().claimed if run.job_id == job.pk]
    return parent, children


def begin(run: Run) -> Any:
    nonce = uuid4()
    assert lifecycle.start(run.pk, run.token, nonce, host=run.required_host, pid=1) is not None
    return nonce


def end(run: Run, status: Status = Status.SUCCEEDED) -> None:
    assert lifecycle.finish(run.pk, run.token, begin(run), Outcome(status))


def host_dies(name: str) -> None:
    HostService.objects.filter(host__name=name).update(last_seen=database_now() - dt.timedelta(seconds=151))
