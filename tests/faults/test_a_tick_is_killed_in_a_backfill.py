"""A tick dies of SIGKILL between two statements of a claim for a backfill; other ticks complete the backfill."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.models import Backfill, InstantSelection, Run, Status, Trigger
from chroniker.models.backfill import schedule_to_json
from tests.faults import failpoints
from tests.support.factories import a_booked_job
from tests.support.processes import ManagementCommand, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = dt.timedelta(minutes=1)


def a_backfill_of_three_instants(**job_fields: Any) -> Backfill:
    """They are past, and far from the next time of the schedule."""
    job = a_booked_job(cron="0 3 1 1 *", **job_fields)
    now = database_now().replace(second=30, microsecond=0)
    spec = {**schedule_to_json(job.spec), "cron": "* * * * *"}
    row = Backfill(job=job, first=now - 4 * MINUTE, last=now - MINUTE, which=InstantSelection.ALL, spec=spec, planned=3)
    return lifecycle.add_backfill(row)


#: Numbers on SQLite and PostgreSQL: after the write of the run, its lease, the job's state, the backfill.
BETWEEN_WRITES = ["claim:7", "claim:8", "claim:9", "claim:10"]


@pytest.mark.parametrize("point", BETWEEN_WRITES)
def test_each_instant_gets_one_chain_of_attempts(
    point: str, start: Callable[..., ManagementCommand], subprocess_env: dict[str, str], tmp_path: Path
) -> None:
    """The dead tick has written a part of its claim, which is rolled back. Without a transaction, three cases fail."""
    subprocess_env[failpoints.VARIABLE] = str(tmp_path)
    backfill = a_backfill_of_three_instants(command="witness", args=f"{tmp_path / 'witness'} short")
    failpoints.arm(tmp_path, point)
    start("cronserver", "0.5")
    wait_until(lambda: not failpoints.is_armed(tmp_path, point), what="a tick died within the claim")
    start("cronserver", "0.5")
    wait_until(lambda: Backfill.objects.get(pk=backfill.pk).finished_at, what="another one has completed it")
    row = Backfill.objects.get(pk=backfill.pk)
    runs = Run.objects.filter(backfill=row.pk, origin=Trigger.BACKFILL)
    firsts = list(runs.filter(attempt=1).values_list("instant", flat=True))
    assert len(firsts) == len(set(firsts)) == row.made == 3
    assert row.succeeded + row.failed == 3 and row.cursor is not None and row.cursor <= row.last
    assert {run.status for run in runs} <= {Status.SUCCEEDED, Status.LOST}
