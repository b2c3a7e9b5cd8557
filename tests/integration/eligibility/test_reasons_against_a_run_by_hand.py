"""Why jobs cannot be run by hand now: each one for its own reason, and in a constant number of statements."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker.eligibility import explanations, hosts, pauses
from chroniker.models import EVERY_HOST, Group, Job, JobState, Status
from tests.integration.eligibility.open_runs import an_open_run
from tests.support.factories import a_booked_job, a_dependency, a_due_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy")]

FAR = "0 0 1 1 *"
CLAIMED: dict[str, Any] = {"status": Status.CLAIMED, "started_at": None, "nonce": None, "reason_text": "No slot."}


def reasons(*jobs: Job) -> list[str | None]:
    states = list(JobState.objects.filter(pk__in=[job.pk for job in jobs]).select_related("job"))
    found = explanations.reasons_jobs_cannot_run_now(states)
    assert found.keys() == {job.pk for job in jobs}
    return [found[job.pk] for job in jobs]


def test_each_job_has_its_own_reason_or_none() -> None:
    night, wide, paused = (Group.objects.create(name=name, limit=1) for name in ("night", "wide", "paused"))
    pauses.pause("ann", group=paused)
    load = a_booked_job(name="load", cron=FAR, group=night)
    an_open_run(load, **CLAIMED)
    for_one_host = a_booked_job(cron=FAR)
    an_open_run(for_one_host, slot="7", **CLAIMED)
    disabled, held, full = (a_booked_job(cron=FAR, group=group) for group in (paused, paused, night))
    Job.objects.filter(pk=disabled.pk).update(enabled=False)
    everywhere, elsewhere = a_booked_job(cron=FAR, hostname=EVERY_HOST), a_booked_job(cron=FAR, hostname="web9")
    dependent, in_turn, free = a_booked_job(cron=FAR), a_due_job(), a_booked_job(cron=FAR, group=wide)
    never_ran, early = a_booked_job(name="extract", cron=FAR), a_due_job(minutes=9)
    a_dependency(dependent, load, wait_for_completion=True)
    a_dependency(dependent, never_ran, wait_for_success=True)
    a_dependency(in_turn, early, wait_for_next_run=True)
    jobs = (load, disabled, held, full, everywhere, dependent, elsewhere, in_turn, free, for_one_host)
    found = reasons(*jobs)
    assert found[:2] == ["It is claimed; no executor has taken it yet. No slot.", "It is disabled."]
    assert str(found[2]).startswith("The group “paused” has been paused since ")
    assert found[3] == "It must wait: its group “night” is full (1 of 1: load)."
    assert str(found[4]).startswith("No live host: in the last ")
    assert found[5] == "It waits for “extract” to succeed; waits for “load” to end."
    assert found[6:] == 4 * [None], "a run for one host can wait for it, and one by hand has no turn to wait for"
    hosts.record_heartbeat(["default"], host_name="web1")
    assert reasons(everywhere, free) == [None, None]
    with CaptureQueriesContext(connection) as few:
        reasons(load, dependent, everywhere, full)
    with CaptureQueriesContext(connection) as many:
        reasons(*jobs)
    assert len(few) == len(many)
