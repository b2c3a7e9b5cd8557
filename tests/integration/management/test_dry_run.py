"""``manage.py cron --dry-run``: the jobs that a tick would claim, and the reasons for the others."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings

from chroniker.models import Host, Job, JobState, Lease, Run
from chroniker.scheduler.tick import tick
from chroniker.wording.formats import short_time
from tests.support.command_jobs import DUMMY, a_job_due_once, a_job_of_new_year
from tests.support.factories import a_booked_job, a_dependency, a_due_job, a_job

pytestmark = pytest.mark.django_db


def lines(*words: str) -> list[str]:
    out = io.StringIO()
    call_command("cron", "--dry-run", *words, stdout=out)
    return out.getvalue().splitlines()


def everything() -> list[list[tuple[Any, ...]]]:
    return [list(model._default_manager.order_by("pk").values_list()) for model in (Job, JobState, Run, Lease, Host)]


def test_a_due_job_would_be_claimed_for_its_scheduled_time() -> None:
    a_job_due_once(name="due")
    a_job_of_new_year(name="later")
    [line] = lines()
    assert line.startswith("would claim “due”: run 1, for ")


def test_nothing_is_written() -> None:
    a_due_job(), a_job(name="new"), a_job_of_new_year(force_run=True)
    before = everything()
    assert len(lines()) >= 2
    assert everything() == before


def test_an_edit_has_the_same_effect_as_in_a_tick() -> None:
    """The edit is not booked yet, but the output equals that of the next tick."""
    job = a_job_due_once(name="edited")
    Job.objects.filter(pk=job.pk).update(enabled=False)
    [line] = lines()
    assert line.startswith("would skip “edited”: run 1, for ") and line.endswith(": The job was disabled.")
    assert lines("--jobs", "edited")[1:] == ["would not claim “edited”: It is disabled."]


def test_the_next_tick_claims_what_the_dry_run_listed() -> None:
    a_due_job(name="due"), a_job_of_new_year(name="forced", force_run=True), a_job_of_new_year(name="later")
    foretold = {line.split("“")[1].split("”")[0] for line in lines() if line.startswith("would claim")}
    with override_settings(CHRONIKER_EXECUTORS=DUMMY):
        assert {run.job.name for run in tick().claimed} == foretold == {"due", "forced"}


def test_each_named_job_has_its_reason() -> None:
    due, later = a_job_due_once(name="due"), a_job_of_new_year(name="later")
    waiting = a_job_due_once(name="waiting")
    a_dependency(waiting, due, wait_for_completion=True, wait_for_next_run=True)
    assert lines("--jobs", "due", "later", str(waiting.pk)) == [
        *lines("--jobs", "due"),
        f"would not claim “later”: {why_later(later)}",
        "would not claim “waiting”: It is due, but waits for “due” to end.",
    ]


def why_later(job: Job) -> str:
    next_run = JobState.objects.get(pk=job.pk).next_run
    return f"Its next run is at {short_time(next_run)}."


def test_a_running_job_that_is_due_is_listed_with_the_reason() -> None:
    a_due_job(name="busy", minutes=2)
    with override_settings(CHRONIKER_EXECUTORS=DUMMY):
        tick()
    JobState.objects.update(next_run=Run.objects.get().claimed_at)
    claimed_at = Run.objects.get().claimed_at
    Run.objects.update(dispatched_at=claimed_at + dt.timedelta(minutes=5))  # again, because it was not started
    [line] = lines()
    assert line.startswith(f"would not claim “busy”: It has been queued since {short_time(claimed_at)}; ")


def test_times_beyond_the_misfire_grace_would_be_skipped() -> None:
    a_booked_job_long_ago = a_due_job(name="late", minutes=3, misfire_grace_seconds=0, cron="0 0 1 1 *")
    JobState.objects.filter(pk=a_booked_job_long_ago.pk).update(**long_ago())
    [line] = lines()
    assert line.startswith("would skip “late”: run 1, for ") and "Missed" in line


def long_ago() -> dict[str, Any]:
    state = JobState.objects.get()
    assert state.next_instant is not None
    instant = state.next_instant.replace(year=state.next_instant.year - 1)
    return {"next_instant": instant, "next_run": instant, "covered_until": instant.replace(year=instant.year - 1)}


def test_while_paused_nothing_would_be_claimed() -> None:
    a_job_due_once(name="due")
    with override_settings(CHRONIKER_PAUSED=True):
        assert lines() == ["would not claim “due”: The scheduler is paused."]


def test_a_manual_dry_run_ignores_the_schedule() -> None:
    a_job_of_new_year(name="free"), a_booked_job(name="disabled", enabled=False)
    assert lines("--force-run", "--jobs", "free", "disabled") == [
        "would claim “free”: by hand",
        "would refuse “disabled”: It is disabled.",
    ]
