"""The table of alerts: one row for each episode, with its text."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from chroniker.clock.database_clock import database_now
from chroniker.models import Alert, AlertKind, Job, Outbox, Run
from chroniker.models.alert import alert_scope_of_job
from chroniker.models.message_events import ALERT_DIGEST_EVENT, ALERT_RECOVERED_EVENT
from tests.support.factories import a_job

pytestmark = pytest.mark.django_db


def an_alert(job: Job, kind: AlertKind = AlertKind.LATE, key: str = "x", **fields: object) -> Alert:
    values = {"scope": alert_scope_of_job(job.pk), "job": job, "raised_at": database_now(), **fields}
    return Alert.objects.create(kind=kind, key=key, **values)


def test_an_episode_has_one_row() -> None:
    job = a_job()
    an_alert(job)
    with pytest.raises(IntegrityError), transaction.atomic():
        an_alert(job)
    an_alert(job, key="y")
    an_alert(job, kind=AlertKind.SLOW)
    assert Alert.objects.count() == 3


def test_an_alert_outlives_its_run_but_not_its_job() -> None:
    job = a_job()
    run = Run(job=job)
    alert = an_alert(job, run=run)
    alert.refresh_from_db()
    assert alert.run_id == run.pk
    job.delete()
    assert not Alert.objects.exists()


@pytest.mark.parametrize("kind", AlertKind)
def test_the_title_of_an_alert_is_a_sentence_about_its_job(kind: AlertKind) -> None:
    alert = an_alert(a_job(name="nightly import"), kind=kind)
    title = str(alert)
    assert title.startswith("Alert: ") and "“nightly import”" in title
    assert alert_scope_of_job(alert.job_id or 0) not in title and "_" not in title


def test_the_title_says_what_is_wrong() -> None:
    job = a_job(name="nightly import")
    assert str(Alert(job=job, kind=AlertKind.LATE)) == "Alert: “nightly import” is late"
    assert str(Alert(job=job, kind=AlertKind.BACKFILL)) == "Alert: a backfill of “nightly import” has failed"
    assert str(Alert(job=job, kind="other")) == "Alert: nightly import: other"  # of another version
    assert str(Alert(kind=AlertKind.OVERDUE)) == "Alert: overdue"
    assert str(Alert(job_id=99, kind=AlertKind.LATE)) == "Alert: deleted job 99: late"


def test_the_title_of_a_message_says_what_it_is_about() -> None:
    job = a_job(name="nightly import")
    alert = Alert(job=job, kind=AlertKind.LATE)
    about = "an alert: “nightly import” is late"
    assert str(Outbox(alert=alert, event="alert.late")) == f"Message about {about}"
    assert str(Outbox(alert=alert, event=ALERT_RECOVERED_EVENT)) == f"Message about the end of {about}"
    assert str(Outbox(run=Run(job=job, token=12))) == "Message about run 12 of “nightly import”"
    many = {"to": "chat", "body": {"data": {"count": 12, "alerts": []}}}
    assert str(Outbox(event=ALERT_DIGEST_EVENT, payload=many)) == "Message about 12 alerts"
    silent = "Message about the scheduler: Nothing ticks."
    for payload in ({"to": "a@b.example", "title": "Nothing ticks."}, {"data": {"title": "Nothing ticks."}}):
        assert str(Outbox(event="scheduler.silent", payload=payload)) == silent
        assert str(Outbox(event="scheduler.silent", payload={"to": "chat", "body": payload})) == silent
    assert str(Outbox(payload={})) == "Message about the scheduler"
    assert str(Outbox(payload={"body": None})) == "Message about the scheduler"


def test_the_text_names_what_was_expected() -> None:
    alert = Alert(kind=AlertKind.FAILING, args={"n": 3, "since": "2026-11-28T03:00:00+00:00", "why": "exit status 3"})
    assert alert.text == "It has failed 3 times in a row since 2026-11-28 03:00:00 UTC. Exit status 3."
    assert Alert(kind=AlertKind.SLOW, args={"token": 7}).text == "slow token=7"
