"""For any jobs, states, pauses, groups and dependencies a tick does what ``cron --dry-run`` printed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import hosts, pauses
from chroniker.management import dry_run
from chroniker.models import EVERY_HOST, Group, HostService, Job, JobDependency, JobState, Run, Status
from chroniker.models.calendar import Blackout, Calendar
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.support.command_jobs import DUMMY
from tests.support.effort import by_day_or_at_night
from tests.support.factories import a_booked_job, started

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = dt.timedelta(minutes=1)
FLAGS = ("wait_for_completion", "wait_for_success", "wait_for_next_run")


@dataclass
class ExampleJob:
    """One job of an example, with its history."""

    fields: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    is_open: bool = False
    group: int | None = None
    in_calendar: bool = False
    edit: dict[str, Any] = field(default_factory=dict)
    behind_the_form: dict[str, Any] = field(default_factory=dict)


jobs = st.builds(
    ExampleJob,
    fields=st.fixed_dictionaries(
        {
            "cron": st.sampled_from(["* * * * *", "*/3 * * * *", "0 0 1 1 *"]),
            "overlap": st.sampled_from(["WAIT", "SKIP", "REPLACE"]),
            "misfire_grace_seconds": st.sampled_from([None, 0, 150]),
            "jitter_seconds": st.sampled_from([0, 0, 90]),
            "hostname": st.sampled_from(["", "", "web1", EVERY_HOST]),
            "force_run": st.booleans(),
        }
    ),
    state=st.fixed_dictionaries(
        {},
        optional={
            "retry_at": st.sampled_from([-MINUTE, MINUTE]),
            "last_status": st.sampled_from([Status.SUCCEEDED, Status.FAILED]),
        },
    ),
    is_open=st.booleans(),
    group=st.sampled_from([None, 0, 1]),
    in_calendar=st.booleans(),
    edit=st.sampled_from([{}, {}, {"cron": "*/2 * * * *"}, {"enabled": False}]),
    behind_the_form=st.sampled_from([{}, {}, {"cron": "61 * * * *"}, {"cron": "*/4 * * * *"}, {"enabled": False}]),
)
group_rows = st.fixed_dictionaries({"limit": st.sampled_from([None, 1, 2]), "is_paused": st.booleans()})
edges = st.tuples(st.integers(0, 4), st.integers(0, 4), st.sets(st.sampled_from(FLAGS), min_size=1))


def build(drawn: list[ExampleJob], groups: list[dict[str, Any]], waits: list[tuple[int, int, set[str]]]) -> None:
    now = database_now()
    since = now.replace(second=0, microsecond=0) - 5 * MINUTE - dt.timedelta(seconds=1)
    calendar = Calendar.objects.create(name="closed")
    Blackout.objects.create(calendar=calendar, name="stocktaking", starts_at=since, ends_at=since + 3 * MINUTE)
    rows = [
        Group.objects.create(name=f"group {n}", limit=each["limit"], paused_at=now if each["is_paused"] else None)
        for n, each in enumerate(groups)
    ]
    made = [_job(each, rows, calendar, since, n) for n, each in enumerate(drawn)]
    for low, high, flags in waits:
        if low < high < len(made) and not JobDependency.objects.filter(dependent=made[low], dependee=made[high]):
            values = {flag: flag in flags for flag in FLAGS}
            JobDependency.objects.create(dependent=made[low], dependee=made[high], **values)


def _job(each: ExampleJob, groups: list[Group], calendar: Calendar, since: dt.datetime, number: int) -> Job:
    fields = {**each.fields, "force_run": False}
    job = a_booked_job(since=since, name=f"job {number}", calendar=calendar if each.in_calendar else None, **fields)
    if each.is_open:
        run = run_now(job, "somebody")
        if number % 2 and run.status == Status.CLAIMED:
            started(run, run.required_host or "here")
    values = dict(each.state)
    if "retry_at" in values:
        values["retry_at"] = database_now() + values["retry_at"]
    JobState.objects.filter(pk=job.pk).update(**values, last_token=job.runs.count())
    group = None if each.group is None else groups[each.group]
    Job.objects.filter(pk=job.pk).update(group=group, force_run=each.fields["force_run"])
    if each.edit:
        Job.objects.filter(pk=job.pk).update(**each.edit)
    if each.behind_the_form:
        before = Job.objects.values_list("edited_at", flat=True).get(pk=job.pk)
        Job.objects.filter(pk=job.pk).update(**each.behind_the_form)
        Job.objects.filter(pk=job.pk).update(edited_at=before)
    return job


def essence(runs: Any) -> set[tuple[Any, ...]]:
    return {
        (run.job_id, run.token, run.slot, run.status, run.trigger, run.scheduled_for, run.covered_until) for run in runs
    }


def known() -> set[UUID]:
    return set(Run.objects.values_list("pk", flat=True))


@settings(max_examples=by_day_or_at_night(40, 200), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    drawn=st.lists(jobs, min_size=1, max_size=5),
    groups=st.lists(group_rows, min_size=2, max_size=2),
    waits=st.lists(edges, max_size=4),
    is_paused=st.sampled_from([False, False, False, True]),
    has_host=st.booleans(),
    batch=st.sampled_from([1, 2, 100]),
)
def test_a_tick_does_what_the_dry_run_predicted(
    drawn: list[ExampleJob],
    groups: list[dict[str, Any]],
    waits: list[tuple[int, int, set[str]]],
    is_paused: bool,
    has_host: bool,
    batch: int,
) -> None:
    backend = override_settings(CHRONIKER_EXECUTORS=DUMMY, CHRONIKER_CHECK_LOCK_FILE=False, CHRONIKER_BATCH_SIZE=batch)
    with backend, transaction.atomic():
        hosts.record_heartbeat(["default"], host_name="web1")
        build(drawn, groups, waits)
        if not has_host:
            HostService.objects.all().delete()
        if is_paused:
            pauses.pause("somebody")
        now, before = database_now(), known()
        forecast = dry_run.forecast_tick(None, now)
        assert known() == before
        announced = essence([*forecast.result.claimed, *forecast.skipped])
        done = tick(now=now)
        assert essence(Run.objects.exclude(pk__in=before)) == announced
        assert essence(done.claimed) == essence(forecast.result.claimed)
        assert {job.pk for job, _error in done.schedule_errors} == {
            job.pk for job, _error in forecast.result.schedule_errors
        }
        assert not [reason for _name, reason in forecast.unclaimed_jobs_with_reasons if "the next tick" in reason]
        transaction.set_rollback(True)
