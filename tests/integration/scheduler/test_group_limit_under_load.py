from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys

import pytest

from chroniker.models import Group, Lease, Run, Status
from tests.support.command_jobs import DUMMY
from tests.support.factories import a_booked_job
from tests.support.processes import with_settings

CLAIMERS = 3
JOBS = 20
LIMIT = 3

pytestmark = pytest.mark.django_db(transaction=True)


def test_concurrent_claims_of_all_kinds_never_exceed_the_group_limit(
    subprocess_env: dict[str, str],
) -> None:
    group = Group.objects.create(name="three at once", limit=LIMIT)
    moment = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
    for _each in range(JOBS):
        since = moment - dt.timedelta(minutes=1)
        once = {"frequency": "ONCE", "cron": "", "run_at": moment}
        a_booked_job(since=since, group=group, max_retries=1, retry_backoff_seconds=0, **once)
    env = with_settings(subprocess_env, CHRONIKER_EXECUTORS=DUMMY, CHRONIKER_CHECK_LOCK_FILE=False)
    words = [sys.executable, "-m", "tests.integration.scheduler.group_claimer", str(group.pk)]
    claimers = [subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True) for _each in range(CLAIMERS)]
    try:
        seen = [json.loads(claimer.communicate(timeout=900)[0]) for claimer in claimers]
    finally:
        for claimer in claimers:
            claimer.kill()
            claimer.communicate()
    assert all(claimer.returncode == 0 for claimer in claimers)
    assert max(each["most"] for each in seen) == LIMIT
    assert sum(each["finished"] for each in seen) == Run.objects.exclude(status=Status.SKIPPED).count() >= JOBS
    assert not Lease.objects.exists()
