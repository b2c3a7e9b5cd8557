"""A copied database is adopted: what was due, edited or waiting in it, and the questions of the command."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import explanations, pauses
from chroniker.models import (
    Action,
    Activation,
    AuditEntry,
    Job,
    JobState,
    JobTrigger,
    Outbox,
    Run,
    Status,
    Switch,
    installation,
)
from chroniker.reasons import Code
from chroniker.scheduler import adoption, retention
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.integration.lifecycle.backfills import a_backfill
from tests.integration.scheduler.copies import copy_it, first_tick
from tests.support.factories import a_booked_job, a_due_job

pytestmark = pytest.mark.django_db(transaction=True)

NEVER = "0 0 1 1 *"


def adopt(*words: str) -> str:
    out = io.StringIO()
    call_command("chroniker_adopt", *words, stdout=out)
    return out.getvalue()


def test_adopting_skips_what_was_due_and_raises_tokens(copied: None) -> None:
    due, queued = a_due_job(), a_booked_job(cron=NEVER)
    Switch.objects.update(server_identity="", copied_since=None)
    run = run_now(queued, requested_by="a test")
    before = JobState.objects.get(pk=due.pk)
    copy_it()
    tick()
    assert "Adopted." in adopt("--noinput")
    assert Run.objects.get(pk=run.pk).status == Status.STOPPED
    state = JobState.objects.get(pk=due.pk)
    [skipped] = Run.objects.filter(job=due)
    assert (skipped.status, skipped.code) == (Status.SKIPPED, Code.ADOPTED)
    assert skipped.scheduled_for == before.next_instant and skipped.token == adoption.TOKEN_INCREASE + 1
    assert state.last_token == skipped.token and state.next_instant and state.next_instant > database_now()
    assert not tick().is_database_copied and pauses.global_pause() is None
    assert not Run.objects.filter(job=due, status=Status.CLAIMED).exists()
    assert AuditEntry.objects.filter(action=Action.ADOPTED).count() == 1
    assert run_now(queued, requested_by="a test").token == run.token + adoption.TOKEN_INCREASE + 1


def test_adopting_books_what_was_edited_in_the_copy(copied: None) -> None:
    """Otherwise the state has the next time of the edited schedule and the fingerprint of the earlier one."""
    job = a_due_job()
    job.cron = NEVER
    job.save()
    adopt("--noinput")
    state = JobState.objects.get(pk=job.pk)
    assert state.booked_fingerprint == job.spec.fingerprint()
    assert state.next_instant is not None and (state.next_instant.month, state.next_instant.day) == (1, 1)
    assert list(Run.objects.filter(job=job).values_list("code", flat=True)) == [Code.EDITED]


@pytest.mark.parametrize("is_edited", [True, False])
def test_a_job_whose_time_zone_is_unknown_here_does_not_prevent_adopting(copied: None, is_edited: bool) -> None:
    """Its due times are passed over too; a host that knows the zone books the next one."""
    now = database_now()
    daily: dict[str, Any] = {"since": now - dt.timedelta(days=1), "cron": f"0 {(now.hour + 12) % 24} * * *"}
    first, job = a_booked_job(**daily), a_booked_job(**daily)
    Job.objects.filter(pk=job.pk).update(timezone="Mars/Olympus", edited_at=now if is_edited else None)
    adopt("--noinput")
    assert {run.job_id: run.code for run in Run.objects.all()} == {first.pk: Code.ADOPTED, job.pk: Code.ADOPTED}
    assert JobState.objects.get(pk=job.pk).last_token > adoption.TOKEN_INCREASE
    assert tick().claimed == []
    assert "Mars/Olympus" in JobState.objects.get(pk=job.pk).schedule_error
    Job.objects.filter(pk=job.pk).update(timezone="UTC")
    assert tick().claimed == [], "nothing of the time before the adoption runs"
    state = JobState.objects.get(pk=job.pk)
    assert state.next_instant is not None and state.next_instant > database_now()


def test_adopting_passes_over_the_activations_that_wait(copied: None) -> None:
    """Also those of a chain that ends by the adoption: its pending retry is skipped."""
    source, target = a_booked_job(cron=NEVER), a_booked_job(frequency="MANUAL", cron="")
    now = database_now()
    Activation.objects.create(target=target, instant=now, made_at=now)
    failed = Run.objects.create(
        job=source, token=1, chain=1, status="FAILED", trigger="MANUAL", origin="MANUAL",
        claimed_at=now, finished_at=now,
    )  # fmt: skip
    JobState.objects.filter(pk=source.pk).update(
        last_token=1, retry_at=now, retry_attempt=1, retry_of=1, retry_origin="MANUAL", retry_status="FAILED"
    )
    JobTrigger.objects.create(source=source, target=target, on="ENDED")
    assert adoption.count_work_awaiting_adoption().missed == 2
    adopt("--noinput")
    ended = list(Activation.objects.order_by("made_at").values_list("cause", "outcome", "code"))
    assert ended == [(None, "PASSED", "ADOPTED"), (failed.pk, "PASSED", "ADOPTED")]
    assert tick().claimed == []


def test_an_activation_runs_after_the_adoption_if_requested(copied: None) -> None:
    target, now = a_booked_job(frequency="MANUAL", cron=""), database_now()
    Activation.objects.create(target=target, instant=now, made_at=now)
    adopt("--missed", "run")
    assert [run.job_id for run in tick().claimed] == [target.pk]


@pytest.mark.parametrize(("answer", "runs"), [("skip", 0), ("run", 1)])
def test_adopting_cancels_the_backfills_unless_they_are_to_run(copied: None, answer: str, runs: int) -> None:
    row = a_backfill(a_booked_job(cron=NEVER), first=database_now() - dt.timedelta(days=400), which="ALL")
    assert adoption.count_work_awaiting_adoption().missed == 1
    adopt("--missed", answer)
    row.refresh_from_db()
    assert (row.cancelled_by, row.is_open) == (("", True) if runs else ("chroniker_adopt", False))
    assert [run.backfill for run in tick().claimed] == [row.pk] * runs


@pytest.mark.parametrize(("answer", "runs"), [("stop", 0), ("run", 1)])
def test_a_force_run_flag_of_the_copy_is_cleared_with_the_queued_runs(copied: None, answer: str, runs: int) -> None:
    a_booked_job(cron=NEVER, force_run=True)
    assert adoption.count_work_awaiting_adoption().queued == 1
    adopt("--noinput", "--queued", answer)
    assert len(tick().claimed) == runs
    assert not Job.objects.filter(force_run=True).exists()


def test_what_is_to_run_runs_after_the_adoption(copied: None) -> None:
    due = a_due_job()
    message = Outbox.objects.create(channel="address:a@example.com", payload={}, send_at=database_now())
    adopt("--missed", "run", "--queued", "run", "--messages", "send")
    assert [run.job_id for run in tick().claimed] == [due.pk]
    assert Outbox.objects.get(pk=message.pk).send_at is not None


def test_after_an_upgrade_of_the_server_everything_continues_without_a_question(
    copied: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    due, queued = a_due_job(), a_booked_job(cron=NEVER)
    Switch.objects.update(server_identity="", copied_since=None)
    run = run_now(queued, requested_by="a test")
    copy_it()
    message = Outbox.objects.create(channel="address:a@example.com", payload={}, send_at=database_now())
    [text] = explanations.explanation_texts(
        [JobState.objects.select_related("job").get(pk=due.pk)], database_now()
    ).values()
    assert text.endswith("manage.py chroniker_adopt --moved")
    assert "Adopted." in adopt("--moved")
    assert Run.objects.get(pk=run.pk).status == Status.CLAIMED
    assert [each.job_id for each in tick().claimed] == [due.pk]
    assert Outbox.objects.get(pk=message.pk).send_at is not None


def test_a_database_that_is_no_copy_is_not_adopted_as_moved() -> None:
    job, queued = a_due_job(), a_booked_job(cron=NEVER)
    run_now(queued, requested_by="a test")
    tick()
    before = list(JobState.objects.order_by("pk").values())
    with pytest.raises(CommandError, match="This database is no copy"):
        adopt("--moved")
    assert list(JobState.objects.order_by("pk").values()) == before and Run.objects.filter(job=job).count() == 1
    assert not AuditEntry.objects.filter(action=Action.ADOPTED).exists()


def test_unsent_messages_are_discarded_with_a_reason(copied: None) -> None:
    Outbox.objects.create(channel="address:a@example.com", payload={}, send_at=database_now())
    adopt("--noinput")
    message = Outbox.objects.get()
    assert message.send_at is None and message.error == "Discarded when this copy of the database was adopted."


def test_a_job_that_is_not_due_is_not_skipped(copied: None) -> None:
    job = a_booked_job(cron=NEVER)
    before = JobState.objects.get(pk=job.pk)
    adopt("--noinput")
    assert not Run.objects.exists()
    assert JobState.objects.get(pk=job.pk).next_instant == before.next_instant


def test_raised_tokens_do_not_delete_the_history(copied: None) -> None:
    job = a_booked_job(cron=NEVER, maximum_log_entries=3)
    adopt("--noinput")
    JobState.objects.filter(pk=job.pk).update(last_token=5)
    for token in range(1, 6):
        Run.objects.create(
            job=job, token=token, status="SUCCEEDED", trigger="MANUAL", claimed_at=database_now(),
            started_at=database_now(), finished_at=database_now(),
        )  # fmt: skip
    copy_it()
    adopt("--noinput")
    assert retention.delete_surplus_runs([job.pk]) == 2
    assert list(Run.objects.order_by("token").values_list("token", flat=True)) == [3, 4, 5]


@pytest.mark.usefixtures("dummy")
def test_a_database_that_is_no_copy_cannot_be_adopted() -> None:
    first_tick()
    with pytest.raises(CommandError, match=r"^This database is no copy; there is nothing to adopt\.$"):
        adopt("--noinput")


def test_without_a_terminal_it_asks_for_options(copied: None, monkeypatch: pytest.MonkeyPatch) -> None:
    a_due_job()
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(CommandError) as refusal:
        adopt()
    assert str(refusal.value) == (
        "Jobs with due scheduled times, retries, activations or backfills: 1. This is no terminal: give --noinput, or "
        "an option for each answer."
    )
    assert installation.select_switch_if_copied().exists()


def test_it_asks_on_a_terminal(copied: None, monkeypatch: pytest.MonkeyPatch) -> None:
    due, asked, answers = a_due_job(), [], iter(["what?", "r"])

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return next(answers)

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", answer)
    adopt()
    assert (
        asked[0]
        == asked[1]
        == "Jobs with due scheduled times, retries, activations or backfills: 1. skip or run? [skip] "
    )
    assert [run.job_id for run in tick().claimed] == [due.pk]


def test_without_anything_that_waits_it_asks_nothing(copied: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert adopt().startswith("Adopted.")
    assert not installation.select_switch_if_copied().exists()
