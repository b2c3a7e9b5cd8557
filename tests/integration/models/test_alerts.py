"""The table of alerts: one row for each episode, with its text."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from chroniker.clock.database_clock import database_now
from chroniker.models import Alert, AlertKind, Job, Run
from chroniker.models.alert import scope_of
from tests.support.factories import a_job

pytestmark = pytest.mark.django_db


def an_alert(job: Job, kind: AlertKind = AlertKind.LATE, key: str = "x", **fields: object) -> Alert:
    values = {"scope": scope_of(job.pk), "job": job, "raised_at": database_now(), **fields}
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


def test_the_text_names_what_was_expected() -> None:
    alert = Alert(kind=AlertKind.FAILING, args={"n": 3, "since": "2026-11-28T03:00:00+00:00", "why": "exit status 3"})
    assert alert.text == "It failed 3 times in a row since 2026-11-28 03:00:00. Exit status 3."
    assert Alert(kind=AlertKind.SLOW, args={"token": 7}).text == "slow token=7"
