"""Recipients of other jobs, and channels that get no message about a run, cost this run no statement."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle
from chroniker.lifecycle import Outcome
from chroniker.lifecycle.recipients import load_default_recipients
from chroniker.models import Channel, ChannelKind, Group, Job, JobTrigger, Run, Status, TriggerOn
from chroniker.scheduler.manual_runs import run_now
from tests.support.channels import a_channel
from tests.support.ended_runs import a_job_with_subscribers, a_subscriber
from tests.support.factories import started


def statements(step: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as queries:
        step()
    return len(queries)


def a_quiet_job(group: Group) -> Job:
    """Its failures raise no alert."""
    return a_job_with_subscribers(group=group, alert_failures=0)


def statements_of_a_run(job: Job) -> tuple[int, int]:
    """Of its start, and of its end."""
    run = run_now(job, requested_by="a test")
    begin = statements(lambda: started(run))
    nonce = Run.objects.values_list("nonce", flat=True).get(pk=run.pk)
    return begin, statements(lambda: lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.FAILED)))  # type: ignore[arg-type]


def add_recipients(job: Job, *channels: Channel) -> None:
    assert job.group is not None
    job.subscribers.add(a_subscriber())
    JobTrigger.objects.create(source=job, target=a_quiet_job(job.group), on=TriggerOn.ENDED)
    job.channels.add(*channels)
    job.group.channels.add(*channels)


def test_a_run_without_recipients_needs_no_statement_for_those_of_other_jobs() -> None:
    groups = [Group.objects.create(name=name) for name in ("day", "night")]
    job, other = map(a_quiet_job, groups)
    statements_of_a_run(job)  # compiles the statements
    few = statements_of_a_run(job)
    only_alerts, of_runs = a_channel(is_default=True), a_channel(ChannelKind.PING)
    for chosen in (job.channels, groups[0].channels):
        chosen.add(only_alerts)
    add_recipients(other, of_runs)
    assert statements_of_a_run(job) == few
    assert statements_of_a_run(other) > few, "its start and its end are reported"


def test_a_channel_that_gets_no_pings_costs_a_start_no_statement() -> None:
    job = a_quiet_job(Group.objects.create(name="day"))
    statements_of_a_run(job)
    few, _end = statements_of_a_run(job)
    a_channel(is_default=True, events=["run.failed"])
    begin, end = statements_of_a_run(job)
    assert (begin, end > few) == (few, True)


def test_messages_about_no_job_are_for_the_default_channels() -> None:
    default, _other = a_channel(is_default=True), a_channel()
    found = load_default_recipients()
    assert list(found.channels.values()) == found.channels_for(None, None, "scheduler.silent") == [default]
