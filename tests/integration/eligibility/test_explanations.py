"""Why a job does not run now: the text for each of its states, and whether something holds it back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from chroniker.clock.database_clock import database_now
from chroniker.clock.jump_detection import ClockReading
from chroniker.eligibility import explanations, hosts, pauses
from chroniker.models import EVERY_HOST, Activation, Group, Job, JobState, Lease, Run, Status, Ticker
from chroniker.reasons import Code, Reason
from chroniker.wording.formats import short_time
from tests.integration.eligibility.open_runs import an_open_run
from tests.support.factories import a_booked_job, a_dependency, a_due_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy")]

FAR = "0 0 1 1 *"
HOUR = dt.timedelta(hours=1)


def a_state(job: Job, **fields: Any) -> JobState:
    if fields:
        JobState.objects.filter(pk=job.pk).update(**fields)
    return JobState.objects.select_related("job").get(pk=job.pk)


def explained(*jobs: Job) -> list[tuple[str, bool, int]]:
    found = explanations.explain_why_not_running([a_state(job) for job in jobs], database_now())
    return [(found[job.pk].text, found[job.pk].is_held, found[job.pk].n_waiting) for job in jobs]


CLAIMED: dict[str, Any] = {"status": Status.CLAIMED, "started_at": None, "nonce": None}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "It is running."),
        ({"stop_requested_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}, "It is running; a stop was requested."),
        (
            {"required_host": EVERY_HOST, "parts": (2, 3)},
            "It is running on every host; results received: 2 of 3.",
        ),
        ({"required_host": EVERY_HOST}, "It is running on every host; results received: 0 of 0."),
        ({"required_host": "web1"}, "It is running."),
        (CLAIMED | {"reason_text": "No slot."}, "It is claimed; no executor has taken it yet. No slot."),
    ],
)
def test_an_open_run_is_described(fields: dict[str, Any], expected: str) -> None:
    job = a_due_job()
    an_open_run(job, **fields)
    assert explained(job) == [(expected, False, 0)]
    assert explanations.reason_job_cannot_run_now(a_state(job)) == expected


def test_a_queued_run_that_a_worker_has_taken_waits_for_no_worker() -> None:
    hosts.record_heartbeat([hosts.WorkerReport("default", "w", ["fast"])])
    queued = CLAIMED | {"dispatched_at": database_now(), "executor": "default"}
    jobs = [a_due_job() for _each in range(4)]
    since = short_time(an_open_run(jobs[0], **queued, queue="slow").claimed_at, database_now())
    an_open_run(jobs[1], **queued, queue="fast")
    an_open_run(jobs[2], **queued, queue="slow", taken_at=database_now())
    an_open_run(jobs[3], queue="slow", executor="default")
    text = f"It has been queued since {since}; no worker has taken it yet."
    missing = "No worker consumes the queue “slow”."
    assert [each[0] for each in explained(*jobs)] == [f"{text} {missing}", text, text, "It is running."]


def test_a_queue_without_a_name_is_called_as_its_executor() -> None:
    job = a_due_job()
    an_open_run(job, **CLAIMED, executor="default", dispatched_at=database_now())
    Run.objects.update(claimed_at=database_now() - HOUR)
    assert explained(job)[0][0].endswith(" No worker consumes the queue “default”.")


def with_a_force_run_flag(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(force_run=True)


def has_edits(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(edited_at=database_now())


def is_paused(job: Job) -> None:
    group = Group.objects.create(name="night")
    pauses.pause("ann", group=group)
    Job.objects.filter(pk=job.pk).update(group=group)


def is_disabled(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(enabled=False)


def has_an_error(job: Job) -> None:
    a_state(job, schedule_error="no such day", next_run=None, next_instant=None)


def is_held_after_a_failure(job: Job) -> None:
    a_state(job, held_at=database_now(), held_by_run=7)


def waits_for_success(job: Job) -> None:
    a_dependency(job, a_booked_job(name="load", cron=FAR), wait_for_success=True)


def waits_for_scheduled_times(job: Job) -> None:
    load = a_booked_job(name="load", cron=FAR)
    a_state(load, next_instant=database_now() - 366 * 24 * HOUR)
    a_dependency(job, load, wait_for_next_run=True)


def has_a_backfill(job: Job) -> None:
    a_state(job, backfill_at=database_now())


def has_a_backfill_in_a_group_with_room(job: Job) -> None:
    has_a_backfill(job)
    is_alone_in_a_group_with_a_limit(job)


def is_alone_in_a_group_with_a_limit(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(group=Group.objects.create(name="night", limit=1))
    Job.objects.filter(pk=job.pk).update(edited_at=None)  # as after the next tick


def ran_on_one_host(job: Job) -> None:
    an_open_run(job, slot="7")


NOTHING: list[Callable[[Job], None]] = []
DUE, NEXT = "It is due; the next tick starts it.", "Its next run is at "
BOOKS, TO_SUCCEED = "It was edited; the next tick applies the edit.", "It is due, but waits for “load” to succeed."


@pytest.mark.parametrize(
    ("is_due", "happens", "text", "is_held"),
    [
        (True, NOTHING, DUE, False),
        (False, NOTHING, NEXT, False),
        (True, [ran_on_one_host], DUE, False),
        (False, [with_a_force_run_flag], DUE, False),
        (True, [is_alone_in_a_group_with_a_limit], DUE, False),
        (True, [is_disabled, is_paused], "It is disabled.", False),
        (True, [is_paused], "The group “night” has been paused since ", True),
        (False, [is_paused], "The group “night” has been paused since ", False),
        (False, [has_an_error, is_paused], "Schedule error: no such day", False),
        (False, [has_an_error, with_a_force_run_flag], DUE, False),
        (True, [is_held_after_a_failure], "It has been held since run 7 failed.", True),
        (False, [is_held_after_a_failure, with_a_force_run_flag], DUE, False),
        (True, [has_edits], BOOKS, False),
        (True, [has_edits, waits_for_success], BOOKS, True),
        (False, [has_edits, waits_for_success], BOOKS, False),
        (True, [waits_for_success], TO_SUCCEED, True),
        (False, [waits_for_success], NEXT, False),
        (
            True,
            [waits_for_scheduled_times],
            "It is due, but waits for “load” to run for its due scheduled times.",
            True,
        ),
        (False, [waits_for_scheduled_times, with_a_force_run_flag], DUE, False),
        (False, [has_a_backfill], "The next tick starts the next run of its backfill.", False),
        (False, [has_a_backfill_in_a_group_with_room], "The next tick starts the next run of its backfill.", False),
        (False, [has_a_backfill, waits_for_success], "Its backfill is due, but waits for “load” to succeed.", True),
    ],
)
def test_what_keeps_a_job_from_running_is_explained(
    is_due: bool, happens: list[Callable[[Job], None]], text: str, is_held: bool
) -> None:
    job = a_due_job() if is_due else a_booked_job(cron=FAR)
    for each in happens:
        each(job)
    [(found, held, _n)] = explained(job)
    assert (found.startswith(text), held) == (True, is_held), found


def test_a_job_without_a_schedule_and_a_backfill_that_goes_on_later_are_described() -> None:
    by_hand, later = a_booked_job(frequency="MANUAL", cron=""), a_booked_job(cron=FAR)
    at = database_now() + HOUR
    state = a_state(later, backfill_at=at)
    first, second = (each[0] for each in explained(by_hand, later))
    assert first == "It has no schedule; it is started by hand or by a trigger."
    now = database_now()
    times = (short_time(state.next_run, now), short_time(at, now))
    assert second == "Its next run is at {}. Its backfill continues at {}.".format(*times)


def test_what_is_added_to_a_text_concerns_the_job_itself() -> None:
    """A suspension only jobs that are due, waiting activations only their target."""
    ready, disabled, later, target = a_due_job(), a_due_job(), a_booked_job(cron=FAR), a_booked_job(cron=FAR)
    is_disabled(disabled)
    now = database_now()
    for _each in range(2):
        Activation.objects.create(target=target, instant=now, made_at=now)
    hosts.record_heartbeat(host_name="web1")
    reading = ClockReading(now, 0.0, Reason.of(Code.CLOCK_BACK, seconds=9), suspension_seconds_left=3600.0)
    hosts.record_suspension_of_starts(reading, host_name="web1")
    [message] = hosts.suspension_messages()
    found = explained(ready, disabled, later, target)
    assert found[0] == (f"{DUE} {message}", False, 0)
    assert found[1] == ("It is disabled.", False, 0)
    assert found[2][0].startswith(NEXT) and found[2][0].endswith(".") and message not in found[2][0]
    assert found[3] == (f"{DUE} {message} 2 activations wait for it.", False, 2)


def test_a_host_that_is_not_live_is_named_unless_the_job_is_disabled_or_its_run_has_started() -> None:
    waiting, claimed, running, disabled = (a_booked_job(cron=FAR, hostname="web9") for _each in range(4))
    is_disabled(disabled)
    an_open_run(claimed, **CLAIMED, required_host="web9")
    an_open_run(running, required_host="web9")
    found = [
        text.count("Its host “web9” is not live") for text, _held, _n in explained(waiting, claimed, running, disabled)
    ]
    assert found == [1, 1, 0, 0]


def test_without_a_tick_only_the_texts_change_that_announce_one() -> None:
    ready, later = a_due_job(), a_booked_job(cron=FAR)
    at = database_now() - HOUR
    Ticker.objects.create(host="web1", kind="cron", version="1", pid=1, period=1, last_at=at, pass_seconds=0)
    first, second = (each[0] for each in explained(ready, later))
    assert first == f"It is due, and nothing has ticked since {short_time(at, database_now())}."
    assert second.startswith(NEXT)
    Ticker.objects.update(last_at=database_now())
    assert explained(ready)[0][0] == DUE


def test_what_a_caller_has_read_already_is_not_read_again() -> None:
    """The leases may be those of further jobs."""
    job, other = a_due_job(), a_due_job()
    for each in (job, other):
        an_open_run(each, **CLAIMED, executor="default", queue="slow", dispatched_at=database_now())
    Run.objects.update(claimed_at=database_now() - HOUR)
    leases = {lease.job_id: lease for lease in Lease.objects.select_related("run")}
    state = a_state(job)
    Lease.objects.all().delete()
    found = explanations.explain_why_not_running([state], database_now(), {}, {job.pk: "No host."}, leases)
    assert found.keys() == {job.pk}
    assert found[job.pk].text.endswith("no worker has taken it yet. No host. No worker consumes the queue “slow”.")
