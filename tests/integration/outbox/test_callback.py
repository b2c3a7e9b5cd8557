"""The callback of a project, for runs that fail."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings

from chroniker import outbox
from chroniker.clock.database_clock import database_now
from chroniker.models import Job, Outbox, Status
from tests.support.declared_app import Shop
from tests.support.ended_runs import a_job_with_subscribers, ended, lost, make_due, missed

pytestmark = pytest.mark.django_db

HERE = "tests.integration.outbox.test_callback"
called: list[tuple[str, str, str]] = []
trouble: list[Exception] = []


def note_failure(job: Job, stdout: str, stderr: str) -> None:
    """The project's callback."""
    called.append((job.name, stdout, stderr))
    if trouble:
        raise trouble.pop()


@pytest.fixture(autouse=True)
def _clear_records() -> None:
    called.clear()
    trouble.clear()


@pytest.fixture
def callback() -> Iterator[None]:
    with override_settings(CHRONIKER_JOB_ERROR_CALLBACK=f"{HERE}.note_failure"):
        yield


@pytest.mark.usefixtures("callback")
def test_the_callback_receives_job_stdout_and_stderr() -> None:
    ended(
        a_job_with_subscribers(name="nightly"),
        Status.FAILED,
        output="one\n",
        stderr="it broke\n",
        reason="exit status 1",
    )
    assert outbox.send_due_messages() == 1
    assert called == [("nightly", "one\n", "it broke\n")]


@pytest.mark.usefixtures("callback")
def test_the_callback_is_called_for_each_kind_of_error_only() -> None:
    for status in (Status.SUCCEEDED, Status.STOPPED, Status.FAILED, Status.TIMED_OUT):
        ended(a_job_with_subscribers(name=status.value), status)
    lost(a_job_with_subscribers(name="LOST"))
    missed(name="MISSED")
    make_due()
    outbox.send_due_messages()
    assert sorted(name for name, _stdout, _stderr in called) == ["FAILED", "LOST", "MISSED", "TIMED_OUT"]


@pytest.mark.usefixtures("callback")
def test_the_callback_receives_the_end_reason_of_a_run_without_output() -> None:
    lost(a_job_with_subscribers(name="nightly"))
    outbox.send_due_messages()
    [(_name, stdout, stderr)] = called
    assert stdout == "" and stderr.startswith("lost: Lost contact with the worker.")


@pytest.mark.usefixtures("callback")
def test_the_callback_receives_the_end_of_long_output() -> None:
    ended(a_job_with_subscribers(), Status.FAILED, output="x" * 1_000_000 + "the end")
    outbox.send_due_messages()
    [(_name, stdout, _stderr)] = called
    assert len(stdout) == 100_000 and stdout.endswith("xthe end")


@pytest.mark.usefixtures("callback")
def test_a_callback_that_raises_is_retried(caplog: pytest.LogCaptureFixture) -> None:
    trouble.append(RuntimeError("no network"))
    ended(a_job_with_subscribers(), Status.FAILED)
    assert outbox.send_due_messages() == 0
    assert "no network" in caplog.text and Outbox.objects.get().error == "RuntimeError: no network"
    make_due()
    assert outbox.send_due_messages() == 1 and len(called) == 2


@pytest.mark.parametrize(("module", "error"), [("nowhere", "ModuleNotFoundError"), ("ends", "SystemExit: no pandas")])
def test_a_callback_that_cannot_be_imported_does_not_affect_a_run(shop: Shop, module: str, error: str) -> None:
    shop.write("ends.py", "raise SystemExit('no pandas')")
    with override_settings(CHRONIKER_JOB_ERROR_CALLBACK=f"{shop.name}.{module}.at_all"):
        assert ended(a_job_with_subscribers(), Status.FAILED).status == Status.FAILED
        outbox.send_due_messages()
        assert error in Outbox.objects.get().error


def test_a_callback_that_is_no_longer_set_is_not_tried_again() -> None:
    with override_settings(CHRONIKER_JOB_ERROR_CALLBACK=f"{HERE}.note_failure"):
        ended(a_job_with_subscribers(), Status.FAILED)
    assert outbox.send_due_messages() == 0 and called == []
    message = Outbox.objects.get()
    assert message.send_at is None and message.error == "CHRONIKER_JOB_ERROR_CALLBACK is no longer set."


@pytest.mark.usefixtures("callback")
def test_a_callback_without_a_run_is_not_tried_again() -> None:
    Outbox.objects.create(channel="callback", payload={}, send_at=database_now())
    assert outbox.send_due_messages() == 0 and called == []
    message = Outbox.objects.get()
    assert message.send_at is None and message.error == "The callback is called about runs alone."
