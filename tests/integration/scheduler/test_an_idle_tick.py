"""A tick without work needs one statement for any number of rows."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from chroniker.eligibility import hosts
from chroniker.models import EVERY_HOST, Group, Host
from chroniker.scheduler.tick import tick
from tests.support.command_jobs import DUMMY
from tests.support.factories import a_booked_job, a_dependency

pytestmark = pytest.mark.django_db

LOCAL = {"default": {"BACKEND": "chroniker.executors.local.LocalExecutor"}}


@pytest.mark.parametrize("uses_lock_files", [False, True])
@pytest.mark.parametrize("executors", [DUMMY, LOCAL])
def test_an_idle_tick_needs_one_statement(executors: dict[str, object], uses_lock_files: bool) -> None:
    group = Group.objects.create(name="two at once", limit=2)
    jobs = [a_booked_job(cron="0 0 1 1 *", group=group, hostname=host) for host in ("", "web1", EVERY_HOST)]
    a_dependency(jobs[0], jobs[1], wait_for_completion=True)
    backend = {"CHRONIKER_EXECUTORS": executors, "CHRONIKER_CHECK_LOCK_FILE": uses_lock_files}
    with override_settings(CHRONIKER_JOB_ERROR_CALLBACK="tests.testapp.nothing", **backend):
        hosts.record_heartbeat(["default"])
        tick()
        with CaptureQueriesContext(connection) as statements:
            result = tick()
    assert Host.objects.exists()
    assert result.claimed == []
    assert len(statements) == 1, [each["sql"] for each in statements]
