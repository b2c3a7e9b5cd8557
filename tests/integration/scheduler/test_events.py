"""Events: ``chroniker.trigger`` in the transaction of a program."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import transaction
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

import chroniker
from chroniker.eligibility import waiting_activations
from chroniker.exceptions import EventRefused
from chroniker.insights.job_status import fetch_job_status
from chroniker.job_commands import policy
from chroniker.lifecycle.event_plan import make_argument_line
from chroniker.models import Activation, CatchUp, Job, Run, Trigger
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import claim_after_run, tick
from tests.integration.lifecycle.steps import ended
from tests.integration.lifecycle.triggered_jobs import a_target
from tests.support.factories import a_booked_job, state_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("dummy")]


def test_it_is_claimed_at_the_commit_of_the_caller() -> None:
    job = a_target()
    with transaction.atomic():
        activation = chroniker.trigger(job, by="shop")
        assert not Run.objects.exists()
    run = Run.objects.get()
    assert (run.job_id, run.trigger, run.asked_by, run.cause) == (job.pk, Trigger.EVENT, "shop", None)
    activation.refresh_from_db()
    assert (activation.run, activation.outcome) == (run.pk, "RUN")


def test_the_rollback_of_the_caller_leaves_nothing() -> None:
    job = a_target()
    with pytest.raises(RuntimeError), transaction.atomic():
        chroniker.trigger(job)
        raise RuntimeError
    tick()
    assert not Activation.objects.exists() and not Run.objects.exists()


def test_a_job_is_found_by_its_name() -> None:
    job = a_target(name="load")
    assert chroniker.trigger("load").target_id == chroniker.trigger(job.pk).target_id == job.pk
    with pytest.raises(Job.DoesNotExist):
        chroniker.trigger("no such job")


def test_it_waits_while_the_job_runs() -> None:
    job = a_target()
    run = run_now(job, requested_by="ann")
    chroniker.trigger(job)
    assert Run.objects.count() == 1
    ended(run)
    assert [each.trigger for each in claim_after_run(job.pk).claimed] == [Trigger.EVENT]


@pytest.mark.parametrize(("catch_up", "runs"), [(CatchUp.COALESCE, 1), (CatchUp.EACH, 100), (CatchUp.LATEST, 1)])
def test_catch_up_decides_how_many_runs_come_of_many_events_during_a_run(catch_up: CatchUp, runs: int) -> None:
    job = a_target(catch_up=catch_up, misfire_grace_seconds=3600)
    run = run_now(job, requested_by="ann")
    with transaction.atomic():
        for _event in range(100):
            chroniker.trigger(job)
    ended(run)
    count = 0
    while claimed := tick().claimed:
        count += len(claimed)
        for each in claimed:
            ended(each)
    assert count == runs
    assert not Activation.objects.filter(ended_at=None).exists()


def test_a_second_event_with_the_same_key_is_the_first_one() -> None:
    job = a_target()
    first = chroniker.trigger(job, key="order 7")
    ended(Run.objects.get())
    second = chroniker.trigger(job, key="order 7")
    assert second.pk == first.pk
    assert second.outcome == "RUN"
    assert chroniker.trigger(a_target(), key="order 7").pk != first.pk
    assert Activation.objects.filter(target=job).count() == 1


def test_a_key_is_used_up_by_an_event_that_was_passed_over() -> None:
    job = a_target(enabled=False)
    first = chroniker.trigger(job, key="order 7")
    Job.objects.filter(pk=job.pk).update(enabled=True)
    tick()
    second = chroniker.trigger(job, key="order 7")
    assert (second.pk, second.outcome) == (first.pk, "PASSED")
    assert not Run.objects.exists()


def test_a_repeated_key_does_not_break_the_transaction_of_the_caller() -> None:
    job = a_target()
    chroniker.trigger(job, key="k")
    with transaction.atomic():
        chroniker.trigger(job, key="k")
        a_booked_job(name="written after it")
    assert Job.objects.filter(name="written after it").exists()


def test_its_instant_is_what_the_run_is_for() -> None:
    at = dt.datetime(2026, 3, 29, 3, tzinfo=dt.UTC)
    chroniker.trigger(a_target(), instant=at)
    assert (Run.objects.get().instant, Run.objects.get().scheduled_for) == (at, None)


def test_a_time_without_zone_is_an_error() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        chroniker.trigger(a_target(), instant=dt.datetime(2026, 3, 29, 3))
    assert not Activation.objects.exists()


def test_a_key_of_200_characters_is_stored_as_it_is() -> None:
    job, key = a_target(), "ü" * 200
    assert chroniker.trigger(job, key=key).pk == chroniker.trigger(job, key=key).pk
    assert Activation.objects.get().key == key


@pytest.mark.parametrize("key", ["", "x" * 201, "two\nlines", "nul\0"])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(EventRefused, match="1 to 200 printable characters"):
        chroniker.trigger(a_target(), key=key)


def test_the_words_are_neither_split_nor_filled_in() -> None:
    words = ["--verbosity", "2", "--no-color"]
    chroniker.trigger(a_target(), args=words)
    assert Run.objects.get().argv == ["noop", *words]


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=6))
def test_any_words_stay_the_same(words: list[str]) -> None:
    assert policy.planned_argv("noop", "", make_argument_line(words)) in (["noop", *words], None)
    assert policy.management_argv("noop", make_argument_line(words)) == ("noop", *words)


@pytest.mark.parametrize("word", ["{{ job }}", "{{{{ job }}", "{{{ token }}", "{{", "a b", "'\"", "", "\ue000"])
def test_words_that_look_like_placeholders_or_quotes_stay_the_same(word: str) -> None:
    assert policy.management_argv("noop", make_argument_line([word, word])) == ("noop", word, word)


def test_arguments_are_checked_by_the_parser_of_the_command() -> None:
    with pytest.raises(EventRefused, match="does not accept these arguments"):
        chroniker.trigger(a_target(), args=["--no-such-option"])
    with override_settings(CHRONIKER_DISABLE_RAW_COMMAND=True), pytest.raises(EventRefused, match="--settings"):
        chroniker.trigger(a_target(), args=["--settings=evil"])
    with pytest.raises(EventRefused, match="NUL"):
        chroniker.trigger(a_target(), args=["a\0b"])
    with pytest.raises(TypeError, match="list of texts"):
        chroniker.trigger(a_target(), args="--verbosity 2")
    with pytest.raises(EventRefused, match="Raw commands have no separate arguments"):
        chroniker.trigger(a_target(command="", raw_command="true"), args=["x"])
    assert not Activation.objects.exists()


def test_a_disabled_job_is_passed_over() -> None:
    activation = chroniker.trigger(a_target(enabled=False))
    assert (activation.outcome, activation.code) == ("PASSED", "DISABLED")
    tick()
    assert not Run.objects.exists()


def test_more_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_activations, "MAX_WAITING_ACTIVATIONS", 2)
    job = a_target()
    run_now(job, requested_by="ann")
    chroniker.trigger(job)
    chroniker.trigger(job)
    with pytest.raises(EventRefused, match="were already waiting for the job"):
        chroniker.trigger(job)


def test_a_repeated_key_is_not_refused_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_activations, "MAX_WAITING_ACTIVATIONS", 1)
    job = a_target()
    run_now(job, requested_by="ann")
    first = chroniker.trigger(job, key="order 7")
    assert chroniker.trigger(job, key="order 7").pk == first.pk
    with pytest.raises(EventRefused, match="were already waiting for the job"):
        chroniker.trigger(job, key="order 8")


def test_a_transaction_on_another_database_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    job = a_target()
    job._state.db = "other"
    with pytest.raises(EventRefused, match="and this transaction is on “other”"):
        chroniker.trigger(job)


def test_why_not_says_how_many_wait() -> None:
    job = a_target()
    run_now(job, requested_by="ann")
    chroniker.trigger(job)
    chroniker.trigger(job)
    assert fetch_job_status([job])[job.pk].why.endswith("2 activations wait for it.")


def test_with_a_local_executor_the_next_tick_claims_it() -> None:
    local = {"default": {"BACKEND": "chroniker.executors.local.LocalExecutor"}}
    job = a_target()
    with override_settings(CHRONIKER_EXECUTORS=local):
        chroniker.trigger(job)
    assert not Run.objects.exists()
    assert state_of(job).last_token == 0
    assert len(tick().claimed) == 1
