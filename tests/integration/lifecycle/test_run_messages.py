"""What the end of a run sends: messages, written in the closing transaction, and a signal after the commit."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chroniker import lifecycle
from chroniker.eligibility import hosts
from chroniker.models import EVERY_HOST, Outbox, Run, Status
from chroniker.scheduler.tick import tick
from chroniker.signals import run_finished
from tests.support.ended_runs import a_job_with_subscribers, a_subscriber, ended
from tests.support.factories import a_due_job, started


def test_a_failure_is_reported_to_each_active_subscriber_with_an_address() -> None:
    ann = a_subscriber("ann")
    run = ended(a_job_with_subscribers(ann, a_subscriber("bob", is_active=False)), Status.FAILED)
    [message] = Outbox.objects.all()
    assert (message.run_id, message.channel, message.payload) == (run.pk, f"mail:{ann.pk}", {"to": "ann"})


def test_of_a_run_on_every_host_only_the_parent_is_reported() -> None:
    hosts.record_heartbeat(["default"], host_name="web1")
    job = a_due_job(hostname=EVERY_HOST)
    job.subscribers.add(a_subscriber("ann"))
    parent, child = tick().claimed
    assert lifecycle.finish(child.pk, child.token, started(child, "web1"), lifecycle.Outcome(Status.FAILED))
    assert list(Outbox.objects.values_list("run", flat=True)) == [parent.pk]


def test_the_signal_is_sent_after_the_commit(django_capture_on_commit_callbacks: Any) -> None:
    received: list[tuple[UUID, str]] = []

    def receive(run_id: UUID, status: str, **_more: Any) -> None:
        received.append((run_id, status))

    run_finished.connect(receive, sender=Run)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            run = ended(a_job_with_subscribers(), Status.SUCCEEDED)
            assert received == []
        assert received == [(run.pk, Status.SUCCEEDED)]
    finally:
        run_finished.disconnect(receive, sender=Run)
