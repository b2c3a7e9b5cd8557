"""A running run with output, and what its page shows."""

from __future__ import annotations

import datetime as dt
from html import unescape
from typing import Any

from django.test import Client
from django.urls import reverse

from chroniker.clock.database_clock import database_now
from chroniker.models import LogChunk, Run
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, started

NAMES = {"remark": 0, "stdout": 1, "stderr": 2}


def a_running_run(**fields: Any) -> Run:
    run = run_now(a_booked_job(**fields), requested_by="a test")
    started(run)
    run.refresh_from_db()
    return run


def write(run: Run, stream: str, seq: int, text: str) -> None:
    moment = database_now() + dt.timedelta(seconds=LogChunk.objects.filter(run=run).count())
    LogChunk.objects.create(run=run, stream=NAMES[stream], seq=seq, text=text, written_at=moment)


def page(client: Client, run: Run, **query: str) -> str:
    response = client.get(reverse("admin:chroniker_run_change", args=[run.pk]), query)
    assert response.status_code == 200, response.content
    return unescape(response.content.decode())


def fragments(client: Client, run: Run) -> dict[str, str]:
    response = client.get(reverse("admin:chroniker_run_change", args=[run.pk]), {"_live": ""})
    assert response.status_code == 200, response.content
    return {name: unescape(html) for name, html in response.json()["html"].items()}
