"""Requests for the page and the output of a run that wrote much, as the viewer sends them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from chroniker.clock.database_clock import database_now
from chroniker.models import Job, LogChunk, Run, Status, Stream, Trigger
from chroniker.worker.output import MAX_CHUNK_LENGTH
from tests.benchmarks.measuring import Row, Stopwatch, counted_statements, load, milliseconds

LINE = "2026-11-28 09:41:12,345 INFO shop.imports: imported article %09d in 31 ms from https://example.org/feed\n"
ERROR = "Traceback (most recent call last):\nValueError: oops\n"
ROWS = 100  #: chunks in one statement


def measured(megabytes: int, repeat: int) -> Iterator[Row]:
    run, lines = a_run_that_wrote(megabytes)
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    page, output = (reverse(f"admin:chroniker_run_{name}", args=[run.pk]) for name in ("change", "output"))
    requests: dict[str, tuple[str, dict[str, str]]] = {
        "page": (page, {}),
        "page at its start": (page, {"at": "start"}),
        "end": (output, {"at": "end"}),
        "start": (output, {"at": "start"}),
        "line in the middle": (output, {"at": str(lines // 2)}),
        "first error": (output, {"at": "error"}),
        "search, one step": (output, {"q": "article 000015000"}),
    }
    for name, (address, query) in requests.items():
        seconds, statements, size = [], 0, 0
        for _time in range(repeat + 1):
            with Stopwatch() as watch, counted_statements() as count:
                response: Any = client.get(address, query)
            assert response.status_code == 200, response.content
            seconds.append(watch.seconds)
            statements, size = count(), len(response.content)
        yield {
            "request": name,
            "megabytes": megabytes,
            "lines": lines,
            "ms": milliseconds(seconds[1:]),
            "first ms": milliseconds(seconds[:1]),
            "statements": statements,
            "kB": size // 1000,
            "load": load(),
        }


def a_run_that_wrote(megabytes: int) -> tuple[Run, int]:
    """A failed run with chunks as a supervisor stores them, and the number of its lines."""
    now = database_now()
    job = Job.objects.create(name="import", command="noop", cron="0 0 1 1 *", timezone="UTC")
    run = Run.objects.create(
        job=job, token=1, status=Status.FAILED, trigger=Trigger.MANUAL, claimed_at=now, started_at=now,
        finished_at=now + dt.timedelta(hours=1), exit_code=1, error_line="ValueError: oops",
    )  # fmt: skip
    rows, ends, written = [], 0, 0
    for seq, text in enumerate(_chunks(megabytes * 1_000_000)):
        written = seq
        moment = now + dt.timedelta(seconds=seq)
        rows.append(LogChunk(run=run, stream=Stream.STDOUT, seq=seq, text=text, written_at=moment, first_line=ends + 1))
        ends += text.count("\n")
        if len(rows) == ROWS:
            LogChunk.objects.bulk_create(rows)
            rows = []
    LogChunk.objects.bulk_create(rows)
    moment = now + dt.timedelta(seconds=written + 1)
    LogChunk.objects.create(run=run, stream=Stream.STDERR, seq=0, text=ERROR, written_at=moment, first_line=1)
    return run, ends + ERROR.count("\n")


def _chunks(size: int) -> Iterator[str]:
    text, number = "", 0
    while size > 0:
        while len(text) < MAX_CHUNK_LENGTH:
            text += LINE % number
            number += 1
        yield text[:MAX_CHUNK_LENGTH]
        text, size = text[MAX_CHUNK_LENGTH:], size - MAX_CHUNK_LENGTH
