"""The present of the shop: open runs, ticks, workers, late mails, events, a schedule error."""

from __future__ import annotations

import datetime as dt
from random import Random
from typing import Any

from django.contrib.auth import get_user_model

from chroniker.models import (
    Blackout,
    Calendar,
    Channel,
    EventKind,
    Group,
    Guarantee,
    GuaranteeHour,
    GuaranteeProgress,
    Host,
    HostService,
    Job,
    JobState,
    Lease,
    LogChunk,
    Outbox,
    Run,
    RunEvent,
    Status,
    Stream,
    Ticker,
    TickMinute,
)
from tests.support.shop.past import ERROR, a_run

MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
#: Open runs: name, minutes since the claim, whether it started, done and total parts.
OPEN: tuple[tuple[str, float, bool, tuple[int, int] | None], ...] = (
    ("Import the catalogue", 5.5, True, (61, 77)),
    ("Rebuild the search index", 19, True, (880, 1000)),
    ("Import stock levels", 0.6, True, None),
    ("Refresh dashboards", 1.2, True, None),
    ("Charge open invoices", 0.9, True, (23, 50)),
    ("Train recommendations", 8, False, None),
)
#: Jobs that are due and wait: for a dependency, and for their group.
WAITING = (("Warm the page cache", 3), ("Synchronise images", 1))
WORKERS = (
    ("web-1", "default@web-1", ["celery"], 8, 2), ("web-1", "mail@web-1", ["mail"], 2, 0),
    ("batch-1", "heavy@batch-1", ["heavy"], 4, 2), ("batch-1", "billing@batch-1", ["billing"], 2, 1),
)  # fmt: skip
FAILING = "Import supplier orders"
TRACEBACK = f"""Traceback (most recent call last):
  File "/srv/shop/manage.py", line 22, in <module>
    execute_from_command_line(sys.argv)
  File "/srv/shop/imports/orders.py", line 118, in handle
    page = self.fetch(number)
  File "/srv/shop/imports/orders.py", line 61, in fetch
    raise ConnectionError(answer)
{ERROR}
"""


def add(now: dt.datetime, random: Random) -> None:
    jobs = {job.name: job for job in Job.objects.all()}
    for name, minutes, is_started, parts in OPEN:
        _add_open_run(jobs[name], now - minutes * MINUTE, is_started, parts, now, random)
    for name, minutes in WAITING:
        JobState.objects.filter(job__name=name).update(next_run=now - minutes * MINUTE)
    error = "There is no time zone “Mars/Olympus”; write it like “Europe/Paris”."
    JobState.objects.filter(job__name="Archive orders").update(
        schedule_error=error, schedule_error_since=now - 9 * HOUR, next_run=None, next_instant=None
    )
    _failing(jobs[FAILING], now)
    _machines(now)
    _guarantees(now)
    _calendar(now)
    get_user_model().objects.filter(username="admin").update(email="admin@example.org")


def _add_open_run(
    job: Job, claimed: dt.datetime, is_started: bool, parts: tuple[int, int] | None, now: dt.datetime, random: Random
) -> None:
    state = JobState.objects.get(job=job)
    started = claimed + dt.timedelta(seconds=0.4) if is_started else None
    run = a_run(
        job, state.last_token + 1, claimed.replace(second=0, microsecond=0), claimed, started, None, False, random
    )
    Run.objects.filter(job=job, scheduled_for=run.scheduled_for).delete()
    run.save(force_insert=True)
    JobState.objects.filter(job=job).update(last_token=run.token, covered_until=run.covered_until)
    Lease.objects.create(
        run=run, job=job, token=run.token, nonce=run.nonce, expires_at=now + HOUR, seconds=60,
        total_parts=parts[1] if parts else None, total_parts_complete=parts[0] if parts else None,
    )  # fmt: skip
    if is_started:
        lines = "".join(f"\x1b[2m{number:04d}\x1b[0m read partition {number}\n" for number in range(1, 41))
        LogChunk.objects.create(run=run, stream=Stream.STDOUT, seq=0, text=lines, written_at=now)


def _failing(job: Job, now: dt.datetime) -> None:
    """The last three runs failed: with an output, events, and mails that are late."""
    runs = list(Run.objects.filter(job=job).order_by("-token")[:3])
    Run.objects.filter(pk__in=[run.pk for run in runs]).update(
        status=Status.FAILED, exit_code=1, reason_args={"status": 1}, error_line=ERROR
    )
    good = Run.objects.filter(job=job, status=Status.SUCCEEDED).order_by("-token").first()
    JobState.objects.filter(job=job).update(
        last_status=Status.FAILED, failures=3, failing_since=runs[-1].finished_at,
        last_success_at=good.finished_at if good else None,
    )  # fmt: skip
    for number, run in enumerate(runs):
        at: Any = run.finished_at
        out = "".join(f"fetched page {page}\nstored 200 rows\n" for page in range(1, 60))
        LogChunk.objects.create(run=run, stream=Stream.STDOUT, seq=0, text=out, written_at=at)
        LogChunk.objects.create(run=run, stream=Stream.STDERR, seq=0, text=TRACEBACK, written_at=at, first_line=1)
        Outbox.objects.create(
            run=run, channel="mail:1", payload={"to": "admin@example.org"}, attempts=4 + number,
            error="smtp.example.org: connection refused", send_at=now + (3 + number) * MINUTE,
        )  # fmt: skip
    for kind, text, hours in (
        (EventKind.LOST, "Lost contact with the worker heavy@batch-2.", 49.5),
        (EventKind.LATE_REPORT, "heavy@batch-2 came back and reported an end.", 49.4),
        (EventKind.REFUSED_DELIVERY, "on web-1, process 4711: the run is RUNNING", 100),
    ):
        RunEvent.objects.create(run=runs[-1], at=now - hours * HOUR, kind=kind, text=text)


def _machines(now: dt.datetime) -> None:
    hosts = {
        name: Host.objects.create(name=name, last_seen=now, clock_skew_seconds=0.02) for name in ("web-1", "batch-1")
    }
    for host, worker, queues, slots, busy in WORKERS:
        HostService.objects.create(
            host=hosts[host], executor="default", worker=worker, last_seen=now - dt.timedelta(seconds=4), queues=queues,
            slots=slots, busy=busy, version="2.0.0", started_at=now - 50 * HOUR,
        )  # fmt: skip
    silent = Host.objects.create(name="batch-2", last_seen=now - 9 * MINUTE)
    HostService.objects.create(
        host=silent, executor="default", worker="heavy@batch-2", last_seen=now - 9 * MINUTE, queues=["heavy"], slots=4,
        busy=1, version="1.9.4", started_at=now - 90 * HOUR,
    )  # fmt: skip
    Ticker.objects.create(
        host="web-1", kind="beat", version="2.0.0", pid=4001, period=5, last_at=now - dt.timedelta(seconds=2),
        pass_seconds=0.031,
    )  # fmt: skip
    minute = now.replace(second=0, microsecond=0)
    for number in (number for number in range(1, 61) if number not in (22, 23)):
        TickMinute.objects.create(
            host="web-1", minute=minute - number * MINUTE, passes=12, longest_pass=0.03 + (number % 7) / 100,
            longest_gap=125 if number == 21 else 5, claimed=3 + number % 5,
        )  # fmt: skip


def _guarantees(now: dt.datetime) -> None:
    hour = now.replace(minute=0, second=0, microsecond=0)
    GuaranteeHour.objects.bulk_create(
        GuaranteeHour(guarantee=each, hour=hour - number * HOUR, tests=6) for each in Guarantee for number in range(720)
    )
    GuaranteeProgress.objects.create(pk=1, since=now - 720 * HOUR, until=now)


def _calendar(now: dt.datetime) -> None:
    Channel.objects.create(name="Chat of operations", kind="SLACK", target="https://hooks.slack.com/x", is_default=True)
    calendar = Calendar.objects.create(name="Public holidays")
    for name, days in (("Christmas", 31), ("New Year", 38)):
        day = now.replace(hour=0, minute=0, second=0, microsecond=0) + dt.timedelta(days=days)
        Blackout.objects.create(
            calendar=calendar, name=name, starts_at=day, ends_at=day + dt.timedelta(days=1), repeats="YEARLY"
        )
    Job.objects.filter(group=Group.objects.get(name="Billing")).update(calendar=calendar)
