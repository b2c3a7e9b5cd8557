"""Alerts in the admin: the list of open ones, mutes, the badge in the list of jobs, the rows on the start page."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from chroniker.clock.database_clock import database_now
from chroniker.insights import health_facts
from chroniker.insights.attention import count_attention_items, fetch_attention_items
from chroniker.models import Alert, AlertKind, AlertMute, Group, Job, JobState, Outbox
from chroniker.models.alert import alert_scope_of_job
from chroniker.wording.formats import short_time
from tests.support.admin_pages import fields
from tests.support.factories import a_booked_job, state_of

pytestmark = pytest.mark.django_db

ALERTS, MUTES = "/admin/chroniker/alert/", "/admin/chroniker/alertmute/"


def an_alert(job: Job, kind: AlertKind = AlertKind.LATE, **values: Any) -> Alert:
    now = database_now()
    args = {"instant": "2026-11-28T03:00:00+00:00", "until": "2026-11-28T03:05:00+00:00", "why": "It waits."}
    JobState.objects.filter(pk=job.pk).update(alerts_open=kind.bit)
    made = {"key": "x", "raised_at": now, "reported_at": now, "args": args, **values}
    return Alert.objects.create(scope=alert_scope_of_job(job.pk), job=job, kind=kind, **made)


def page(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def test_the_list_shows_open_alerts(admin_client: Client) -> None:
    job = a_booked_job(name="report", owner="data")
    an_alert(job)
    an_alert(a_booked_job(name="clean"), ended_at=database_now())
    shown = page(admin_client, ALERTS)
    assert "report" in shown and "data" in shown and "clean" not in shown
    assert "had not started by" in shown and "It waits." in shown
    assert f"{MUTES}add/?job={job.pk}" in shown
    assert "clean" in page(admin_client, f"{ALERTS}?state=ended") and "clean" in page(
        admin_client, f"{ALERTS}?state=all"
    )
    assert "report" in page(admin_client, f"{ALERTS}?q=repo") and "report" not in page(admin_client, f"{ALERTS}?q=zzz")
    assert "No open alerts" in page(admin_client, f"{ALERTS}?kind=slow")


def test_the_page_of_an_alert_has_a_sentence_as_its_title_and_short_times(admin_client: Client) -> None:
    job = a_booked_job(name="report")
    now = database_now()
    expected = now - dt.timedelta(days=300)
    args = {"instant": expected.isoformat(), "until": now.isoformat()}
    alert = an_alert(job, args=args)
    text = f"scheduled for {short_time(expected, now)} and had not started by {short_time(now, now)}."
    for address in (ALERTS, f"{ALERTS}{alert.pk}/change/"):
        assert text in page(admin_client, address)
    title = "Alert: “report” is late"
    assert f"<title>{title} |" in page(admin_client, f"{ALERTS}{alert.pk}/change/")
    assert f"&rsaquo; {title}" in page(admin_client, f"{ALERTS}{alert.pk}/change/")


def test_an_alert_that_no_channel_takes_is_reported_to_nobody(admin_client: Client) -> None:
    alert = an_alert(a_booked_job(), reported_at=database_now() - dt.timedelta(days=300))
    told = short_time(alert.reported_at)
    for address in (ALERTS, f"{ALERTS}{alert.pk}/change/"):
        shown = page(admin_client, address)
        assert "To nobody" in shown and "No channel receives it." in shown and told not in shown
    Outbox.objects.create(alert=alert, channel="channel:1", event=alert.event)
    for address in (ALERTS, f"{ALERTS}{alert.pk}/change/"):
        shown = page(admin_client, address)
        assert "To nobody" not in shown and told in shown


def test_a_mute_is_added_from_an_alert_and_is_in_the_log(admin_client: Client) -> None:
    job = a_booked_job(name="report")
    alert = an_alert(job, reported_at=None)
    data = fields(admin_client.get(f"{MUTES}add/?job={job.pk}"), "alertmute_form")
    assert data["job"] == str(job.pk) and data["starts_at_0"]
    data |= {"ends_at_0": "2126-01-01", "ends_at_1": "06:00:00", "reason": "move"}
    assert admin_client.post(f"{MUTES}add/", data).status_code == 302
    mute = AlertMute.objects.get()
    assert (mute.job, mute.reason, mute.muted_by) == (job, "move", "admin")
    assert LogEntry.objects.count() == 1
    assert "move" in page(admin_client, MUTES) and "report" in page(admin_client, MUTES)
    assert "Muted" in page(admin_client, ALERTS)
    assert alert.reported_at is None


def test_the_end_of_a_mute_wakes_the_look_at_what_is_open(
    admin_client: Client, django_capture_on_commit_callbacks: Any
) -> None:
    job = a_booked_job()
    an_alert(job, reported_at=None)
    now = database_now()
    mute = AlertMute.objects.create(job=job, starts_at=now, ends_at=now + dt.timedelta(days=1))
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(f"{MUTES}{mute.pk}/delete/", {"post": "yes"})
    alert_at = state_of(job).alert_at
    assert alert_at is not None and alert_at <= database_now()


@pytest.mark.parametrize("query", ["job=abc", "job=%00", f"group={10**30}", "starts_at=x", "job=999"])
def test_a_useless_value_in_the_address_of_the_form_is_ignored(admin_client: Client, query: str) -> None:
    assert "Add mute" in page(admin_client, f"{MUTES}add/?{query}")


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"ends_at_0": "2020-01-01"}, "The end must be after the beginning."),
        ({"group": "GROUP", "ends_at_0": "2126-01-01"}, "Choose a job or a group"),
    ],
)
def test_bad_input_is_explained(admin_client: Client, values: dict[str, str], error: str) -> None:
    job, group = a_booked_job(), Group.objects.create(name="night")
    data = fields(admin_client.get(f"{MUTES}add/?job={job.pk}"), "alertmute_form")
    sent = {name: str(group.pk) if value == "GROUP" else value for name, value in values.items()}
    response = admin_client.post(f"{MUTES}add/", {**data, "ends_at_1": "06:00:00", **sent})
    assert response.status_code == 200 and error in response.content.decode()
    assert not AlertMute.objects.exists()


def test_the_fields_are_in_the_forms_of_jobs_and_groups(admin_client: Client) -> None:
    job, group = a_booked_job(), Group.objects.create(name="night")
    for row, form in ((job, "job_form"), (group, "group_form")):
        url = f"/admin/chroniker/{row._meta.model_name}/{row.pk}/change/"
        data = fields(admin_client.get(url), form)
        assert {"alert_start_seconds", "alert_run_seconds", "alert_done_by", "alert_failures"} <= data.keys()
        wrong = admin_client.post(url, {**data, "alert_done_by": "6 o'clock"})
        assert "Write 06:00 or 06:00 mon-fri." in wrong.content.decode()
        assert admin_client.post(url, {**data, "alert_done_by": "06:00 mon-fri"}).status_code == 302
    job.refresh_from_db()
    group.refresh_from_db()
    assert job.alert_done_by == group.alert_done_by == "06:00 mon-fri"
    assert job.edited_at is not None  # the next tick looks at it


def test_open_alerts_need_attention(admin_client: Client) -> None:
    job = a_booked_job(name="report")
    now = database_now()
    started = (now - dt.timedelta(days=300)).replace(hour=3, minute=0, second=0, microsecond=0)
    an_alert(job, AlertKind.SLOW, args={"token": 7, "started": started.isoformat(), "limit": 60})
    health_facts.clear_cached_health_facts()
    assert [item.kind for item in fetch_attention_items(now).items if item.job == job] == ["alert_slow"]
    assert count_attention_items(now) >= 1
    shown = page(admin_client, "/admin/chroniker/job/now/")
    text = f"Run 7, started at {short_time(started, now)}, has taken longer than 1 min."
    assert text in shown and "03:00:00" not in shown and f"add/?job={job.pk}" in shown


def test_the_list_of_jobs_shows_a_badge(admin_client: Client) -> None:
    job = a_booked_job(name="report")
    assert ">Late<" not in page(admin_client, "/admin/chroniker/job/")
    an_alert(job)
    assert "Late</span>" in page(admin_client, "/admin/chroniker/job/")
