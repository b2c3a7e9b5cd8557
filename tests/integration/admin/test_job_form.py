from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.models import Job
from chroniker.scheduler.tick import tick
from tests.support.admin_pages import errors, open_form, url
from tests.support.factories import a_booked_job, a_due_job, state_of

ADD = "/admin/chroniker/job/add/"


def test_a_new_job_is_saved_and_booked_at_once(admin: Client, django_capture_on_commit_callbacks: Any) -> None:
    form = {**open_form(admin), "name": "backup", "command": "noop", "cron": "0 3 * * *", "timezone": "Europe/Paris"}
    with django_capture_on_commit_callbacks(execute=True):
        assert admin.post(ADD, form).status_code == 302
    job = Job.objects.get(name="backup")
    assert job.edited_at is None
    assert state_of(job).next_run is not None


def test_an_edit_is_booked_at_once(admin: Client, django_capture_on_commit_callbacks: Any) -> None:
    job = a_booked_job(cron="0 0 1 1 *")
    before = state_of(job).next_run
    with django_capture_on_commit_callbacks(execute=True):
        admin.post(url(job), {**open_form(admin, job), "cron": "* * * * *"})
    after = state_of(job).next_run
    assert before is not None and after is not None and after < before


def test_an_edit_is_kept_when_its_booking_fails_and_the_tick_books_it(
    admin: Client,
    django_capture_on_commit_callbacks: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    job = a_booked_job(cron="0 0 1 1 *")

    def unreachable(*args: object) -> int:
        raise OSError("no database")

    monkeypatch.setattr(lifecycle, "book_next_instants", unreachable)
    with django_capture_on_commit_callbacks(execute=True):
        assert admin.post(url(job), {**open_form(admin, job), "cron": "* * * * *"}).status_code == 302
    monkeypatch.undo()
    job.refresh_from_db()
    assert (job.cron, job.edited_at is None) == ("* * * * *", False)
    tick()
    job.refresh_from_db()
    assert job.edited_at is None


def test_a_form_opened_before_a_claim_does_not_move_the_schedule(admin: Client) -> None:
    job = a_due_job(minutes=3)
    form = open_form(admin, job)
    assert len(tick().claimed) == 1
    claimed = state_of(job)
    assert admin.post(url(job), {**form, "name": "renamed"}).status_code == 302
    job.refresh_from_db()
    now = state_of(job)
    assert job.name == "renamed"
    assert (now.next_instant, now.covered_until, now.last_token) == (
        claimed.next_instant,
        claimed.covered_until,
        claimed.last_token,
    )
    assert job.edited_at is None


def test_an_old_form_writes_only_its_edited_fields(admin: Client) -> None:
    job = a_booked_job(timeout_seconds=10, cron="0 3 * * *")
    form = open_form(admin, job)
    others: dict[str, Any] = {"timeout_seconds": 20, "force_run": True, "enabled": False, "args": "new"}
    others["cron"] = "0 4 * * *"
    Job.objects.filter(pk=job.pk).update(**others)
    assert admin.post(url(job), {**form, "max_retries": "5"}).status_code == 302
    job.refresh_from_db()
    assert {name: getattr(job, name) for name in others} == others
    assert job.max_retries == 5


def test_an_old_form_does_not_set_a_flag_again_that_a_tick_consumed(admin: Client) -> None:
    job = a_booked_job(force_run=True)
    form = open_form(admin, job)
    assert form["force_run"] == "on"
    assert len(tick().claimed) == 1
    admin.post(url(job), {**form, "name": "renamed"})
    job.refresh_from_db()
    assert (job.name, job.force_run) == ("renamed", False)


def test_two_edits_of_the_same_field_are_a_visible_conflict(admin: Client) -> None:
    job = a_booked_job(timeout_seconds=10)
    form = open_form(admin, job)
    Job.objects.filter(pk=job.pk).update(timeout_seconds=20)
    page = admin.post(url(job), {**form, "timeout_seconds": "30"})
    assert "Another user changed this to “20”" in errors(page)["timeout_seconds"][0]
    job.refresh_from_db()
    assert job.timeout_seconds == 20


def test_a_script_may_post_the_fields_without_their_initial_values(admin: Client) -> None:
    job = a_booked_job(timeout_seconds=10)
    form = {name: value for name, value in open_form(admin, job).items() if not name.startswith("initial-")}
    assert admin.post(url(job), {**form, "timeout_seconds": ""}).status_code == 302
    job.refresh_from_db()
    assert job.timeout_seconds is None


def test_saving_without_a_change_writes_nothing(admin: Client) -> None:
    moment = database_now().replace(microsecond=123456)
    job = a_booked_job(
        args="one\r\ntwo", starts_at=moment, command="noop", frequency="DAILY", cron="", params="interval:2"
    )
    job.subscribers.add(User.objects.create_user("reader"))
    job.refresh_from_db()
    before = {field.name: getattr(job, field.name) for field in Job._meta.concrete_fields}
    assert admin.post(url(job), open_form(admin, job)).status_code == 302
    job.refresh_from_db()
    assert {field.name: getattr(job, field.name) for field in Job._meta.concrete_fields} == before
    assert job.subscribers.count() == 1


def test_subscribers_can_be_added_and_removed(admin: Client) -> None:
    job, reader = a_booked_job(), User.objects.create_user("reader")
    admin.post(url(job), {**open_form(admin, job), "subscribers": [str(reader.pk)]})
    assert job.subscribers.get() == reader
    form = open_form(admin, job)
    assert form["subscribers"] == str(reader.pk)
    form.pop("subscribers")
    admin.post(url(job), form)
    assert job.subscribers.count() == 0


BAD: dict[str, tuple[dict[str, str], str, str]] = {
    "both commands": ({"raw_command": "ls"}, "command", "not both"),
    "neither command": ({"command": ""}, "command", "Give a management command or a raw command"),
    "unknown command": ({"command": "nooop"}, "command", "Did you mean “noop”"),
    "denied command": ({"command": "flush"}, "command", "cannot be scheduled"),
    "unbalanced quotes": ({"args": "'one"}, "args", "quotation"),
    "unbalanced quotes in a raw command": ({"command": "", "raw_command": 'ls "'}, "raw_command", "quotation"),
    "bad cron": ({"cron": "61 * * * *"}, "cron", "61"),
    "no cron": ({"cron": ""}, "cron", "0 3 * * *"),
    "bad rule": ({"frequency": "DAILY", "params": "byhour:25"}, "params", "25"),
    "once without a moment": ({"frequency": "ONCE"}, "run_at", "date and time"),
    "no such zone": ({"timezone": "Mars/Olympus"}, "timezone", "Mars/Olympus"),
    "no such executor": ({"executor": "nowhere"}, "executor", "nowhere"),
    "the end before the beginning": (
        {"starts_at_0": "2030-01-02", "starts_at_1": "00:00", "ends_at_0": "2030-01-01", "ends_at_1": "00:00"},
        "ends_at",
        "before",
    ),
    "no such date": ({"starts_at_0": "2030-02-31", "starts_at_1": "00:00"}, "starts_at", "date"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_refused_at_its_field_and_nothing_is_written(admin: Client, what: str) -> None:
    changes, field, message = BAD[what]
    good = {"name": "new", "command": "noop", "cron": "0 3 * * *"}
    page = admin.post(ADD, {**open_form(admin), **good, **changes})
    assert page.status_code == 200
    assert message in errors(page)[field][0]
    assert not Job.objects.exists()

    job = a_booked_job(cron="0 3 * * *")
    page = admin.post(url(job), {**open_form(admin, job), **changes})
    assert message in errors(page)[field][0]
    assert Job.objects.get() == job and Job.objects.get().cron == "0 3 * * *"


def test_the_form_works_if_the_admin_has_no_users(admin: Client) -> None:
    from django.contrib.admin import site

    users = site.get_model_admin(User)
    site.unregister(User)
    try:
        assert 'name="subscribers"' in admin.get(url(a_booked_job())).content.decode()
    finally:
        site.register(User, type(users))


TOKYO = ZoneInfo("Asia/Tokyo")


@override_settings(TIME_ZONE="Europe/Paris")
def test_times_are_in_the_zone_of_the_job(admin: Client) -> None:
    moment = dt.datetime(2026, 3, 29, 2, 30, tzinfo=TOKYO)  # 02:30 does not exist on this day in Paris
    fields = {"frequency": "ONCE", "timezone": "Asia/Tokyo", "run_at_0": "2026-03-29", "run_at_1": "02:30:00"}
    admin.post(ADD, {**open_form(admin), "name": "once", "command": "noop", **fields})
    job = Job.objects.get(name="once")
    assert job.run_at == moment
    form = open_form(admin, job)
    assert (form["run_at_0"], form["run_at_1"]) == ("2026-03-29", "02:30:00")
    admin.post(url(job), {**form, "name": "renamed"})
    job.refresh_from_db()
    assert (job.name, job.run_at) == ("renamed", moment)
    admin.post(url(job), {**open_form(admin, job), "timezone": "UTC"})
    job.refresh_from_db()
    assert job.run_at == dt.datetime(2026, 3, 29, 2, 30, tzinfo=dt.UTC)
