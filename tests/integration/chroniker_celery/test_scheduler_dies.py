"""Beat hangs or its entry is removed, and workers live: a worker reports it, once for the whole fleet."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from django.test import Client, override_settings

from chroniker.insights import health_facts
from chroniker.models import Alarm, Ticker
from tests.integration.chroniker_celery.steps import NEVER
from tests.support.celery_processes import CeleryBeat, CeleryWorker
from tests.support.factories import a_booked_job
from tests.support.message_servers import MailServer, WebServer
from tests.support.processes import wait_until, with_settings

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]

#: Shortened, as a test cannot wait for minutes. The period of beat counts 2.5 times.
SETTINGS = {"CHRONIKER_TICK_TIMEOUT": 10, "CHRONIKER_ALARM_EMAILS": ["ops@example.com"]}


def test_a_frozen_beat_is_reported_by_one_worker_and_its_return_too(
    redis_env: dict[str, str],
    mail_server: MailServer,
    web_server: WebServer,
    tmp_path: Path,
    admin: Client,
) -> None:
    a_booked_job(cron=NEVER)
    own = {**SETTINGS, **mail_server.settings(), "CHRONIKER_HEARTBEAT_URL": f"{web_server.url}/alive"}
    env = with_settings(redis_env, **own)
    with (
        override_settings(**SETTINGS),
        CeleryBeat(env, tmp_path) as beat,
        CeleryWorker(env, tmp_path),
        CeleryWorker(env, tmp_path, pool="solo"),
    ):
        wait_until(Ticker.objects.exists, what="the first pass is recorded")
        wait_until(lambda: web_server.gets, what="the service outside is requested")
        beat.kill(signal.SIGSTOP)
        wait_until(lambda: mail_server.mails, what="a worker sends a mail")
        health_facts.clear_cached_health_facts()
        assert admin.get("/chroniker/healthz/scheduler").status_code == 503
        health_facts.clear_cached_health_facts()
        assert "Nothing ticks, so no run starts." in admin.get("/admin/chroniker/job/").content.decode()
        beat.kill(signal.SIGCONT)
        wait_until(lambda: len(mail_server.mails) == 2, what="the end is reported")
    subjects = [str(mail["Subject"]) for mail in mail_server.mails]
    assert subjects[0].startswith("Nothing has ticked since "), subjects
    assert subjects[1].startswith("The scheduler ticks again"), subjects
    assert Alarm.objects.get().episode == 1
