"""The commands of the operators, one test for each."""

from __future__ import annotations

import pytest

from chroniker.models import Run, Status
from tests.factories import a_booked_job
from tests.integration.commands.conftest import Manage
from tests.integration.commands.history import ended, with_belongings
from tests.integration.commands.jobs import a_job_of_new_year, is_running
from tests.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def test_cron_clean_deletes_what_is_old_and_keeps_what_is_running(manage: Manage) -> None:
    job = a_booked_job(cron="0 0 1 1 *")
    for run in ended(job, 60, 45, 31, 2):
        with_belongings(run)
    busy = a_job_of_new_year(command="sleep_for", args="600")
    with manage.process("run_job", busy.name):
        wait_until(lambda: is_running(busy))
        Run.objects.filter(job=busy).update(claimed_at=run.claimed_at, started_at=run.started_at)
        assert manage("cron_clean", "days", "1", "--dry-run").stdout.startswith("would delete 3 runs")
        done = manage("cron_clean", "days", "1")
        assert (done.returncode, done.stderr) == (0, "3 of 3 runs (100 %)\n")
        assert done.stdout.startswith("deleted 3 runs that had ended before ")
        assert set(Run.objects.values_list("status", flat=True)) == {Status.SUCCEEDED, Status.RUNNING}
