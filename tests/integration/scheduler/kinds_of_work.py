"""One case of each kind of work that a tick can find."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.eligibility import draining, pauses
from chroniker.models import (
    Activation,
    FleetWork,
    Group,
    Job,
    JobState,
    Lease,
    Outbox,
    Overlap,
    Run,
    Switch,
    installation,
)
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.pending_work_queries import name_of_query_for_work_not_due
from tests.support.factories import a_booked_job, a_due_job, started

RARE: dict[str, Any] = {"cron": "0 0 1 1 *"}
HERE = {
    "CHRONIKER_EXECUTORS": {"default": {"BACKEND": "chroniker.executors.local.LocalExecutor"}},
    "CHRONIKER_CHECK_LOCK_FILE": True,
    "CHRONIKER_HEARTBEAT_URL": "http://localhost:9/",
}


def a_run(**fields: Any) -> Run:
    return run_now(a_booked_job(**RARE, **fields), "a test")


def a_running_run(**fields: Any) -> Run:
    run = a_run(**fields)
    started(run, host=settings.hostname)
    return run


def an_overdue_lease() -> None:
    Lease.objects.filter(pk=a_run().pk).update(expires_at=database_now() - dt.timedelta(hours=1))


def a_child_that_has_not_begun() -> None:
    Lease.objects.filter(pk=a_run().pk).update(slot="web1")


def a_lost_message() -> None:
    Run.objects.filter(pk=a_run().pk).update(redispatch_at=database_now() - dt.timedelta(hours=1))


def a_claim_for_this_host() -> None:
    Run.objects.filter(pk=a_run().pk).update(required_host=settings.hostname, dispatched_at=None)


def a_job_disabled_past_the_model() -> None:
    Job.objects.filter(pk=a_due_job().pk).update(enabled=False)


def older_zone_rules() -> None:
    JobState.objects.filter(pk=a_booked_job(**RARE).pk).update(booked_zone_rules="1999a")


def a_job_due_while_it_runs(overlap: Overlap) -> None:
    job = a_due_job(overlap=overlap)
    run_now(job, "a test")


def a_pending_retry() -> None:
    JobState.objects.filter(pk=a_booked_job(**RARE).pk).update(retry_at=database_now())


def an_activation(**fields: Any) -> None:
    now = database_now()
    Activation.objects.create(target=a_booked_job(**RARE, **fields), instant=now, made_at=now)


def an_activation_that_waits_too_long() -> None:
    an_activation()
    Activation.objects.update(ended_at=database_now(), late_at=database_now())


def a_waiting_backfill() -> None:
    JobState.objects.filter(pk=a_booked_job(**RARE).pk).update(backfill_at=database_now())


def regular_work_done_a_moment_ago(name: str) -> None:
    FleetWork.objects.create(name=name, due_at=database_now() + dt.timedelta(seconds=5))


def a_closed_run() -> None:
    Run.objects.filter(pk=a_run().pk).update(uncounted_since=database_now())


def a_copied_database() -> None:
    installation.record_database_identity()
    Switch.objects.update(copied_since=database_now())


#: By question, and its number where there are several: what makes it true.
WORK: dict[tuple[str, int], Callable[[], Any]] = {
    ("expiry", 0): an_overdue_lease,
    ("expiry", 1): a_child_that_has_not_begun,
    ("expiry", 2): a_running_run,
    ("redispatch", 0): a_lost_message,
    ("claims_for_this_host", 0): a_claim_for_this_host,
    ("stops", 0): lambda: a_booked_job(**RARE, force_stop=True),
    ("edits", 0): lambda: Job.objects.filter(pk=a_booked_job(**RARE).pk).update(edited_at=database_now()),
    ("edits", 1): a_job_disabled_past_the_model,
    ("edits", 2): older_zone_rules,
    ("edits", 3): lambda: an_activation(enabled=False),
    ("forced", 0): lambda: a_booked_job(**RARE, force_run=True),
    ("scheduled", 0): a_due_job,
    ("retry", 0): a_pending_retry,
    ("event", 0): an_activation,
    ("backfill", 0): a_waiting_backfill,
    ("overlapped", 0): lambda: a_job_due_while_it_runs(Overlap.SKIP),
    ("replaced", 0): lambda: a_job_due_while_it_runs(Overlap.REPLACE),
    ("groups", 0): lambda: Group.objects.create(name="one at a time", limit=1),
    ("alerts", 0): lambda: JobState.objects.filter(pk=a_booked_job(**RARE).pk).update(alert_at=database_now()),
    ("alerts", 1): an_activation_that_waits_too_long,
    ("alert_changes", 0): lambda: Switch.objects.create(pk=pauses.SWITCH_ID, alert_revision=1),
    ("alert_changes", 1): lambda: Group.objects.create(name="watched", alert_revision=1),
    ("messages", 0): lambda: Outbox.objects.create(channel="mail:1", payload={}, send_at=database_now()),
    ("deletions", 0): lambda: a_booked_job(**RARE, enabled=False, deletion_requested_at=database_now()),
    ("is_database_copied", 0): a_copied_database,
    ("recorded", 0): installation.record_database_identity,
    ("draining", 0): lambda: draining.record_drain_of_this_host("a test"),
    ("paused", 0): lambda: pauses.pause("a test"),
    ("counts", 0): a_closed_run,
    (name_of_query_for_work_not_due("counts"), 0): lambda: regular_work_done_a_moment_ago("counts"),
    (name_of_query_for_work_not_due("deletion"), 0): lambda: regular_work_done_a_moment_ago("deletion"),
    (name_of_query_for_work_not_due("guarantees"), 0): lambda: regular_work_done_a_moment_ago("guarantees"),
    (name_of_query_for_work_not_due("heartbeat"), 0): lambda: regular_work_done_a_moment_ago("heartbeat"),
}
