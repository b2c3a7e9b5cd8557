"""The events on a run's page: its claim, start and end, the events that processes recorded, and sent messages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from chroniker.insights.run_details import RunDetails
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.models import EventKind, Run, RunEvent, Status
from chroniker.wording.exit_status import exit_status_in_words
from chroniker.wording.formats import exact_time


def event_rows(details: RunDetails) -> list[dict[str, Any]]:
    """The rows of all events, in the order of their times."""
    found = [
        *_events_of_claim_start_and_end(details.run),
        *_recorded_events(details),
        *_sent_message_events(details),
        *_booked_retry_event(details),
    ]
    found.sort(key=lambda each: each[0])
    return [{"at": f"{timezone.localtime(at):%H:%M:%S.%f}"[:-5], "moment": at, "text": text} for at, text in found]


def _events_of_claim_start_and_end(run: Run) -> Iterator[tuple[dt.datetime, str]]:
    words = {
        "queue": run.queue,
        "worker": run.worker or run.host,
        "pid": run.pid,
        "exit": exit_status_in_words(run.exit_code),
    }
    if run.status == Status.SKIPPED:
        return
    yield run.claimed_at, _("claimed")
    if run.dispatched_at is not None:
        yield run.dispatched_at, _("sent to the queue “%(queue)s”") % words if run.queue else _("sent to its executor")
    if run.taken_at is not None:
        yield run.taken_at, _("taken by %(worker)s") % words if words["worker"] else _("taken by a worker")
    if run.started_at is not None:
        yield run.started_at, _("command started, process %(pid)s") % words if run.pid else _("started")
    if run.finished_at is not None:
        yield run.finished_at, _("ended, %(exit)s") % words if words["exit"] else _("closed")


def _recorded_events(details: RunDetails) -> Iterator[tuple[dt.datetime, str]]:
    for event in details.events:
        yield event.at, mask_secrets(_event_text(event), details.run.job.secrets)


def _event_text(event: RunEvent) -> str:
    kind = str(EventKind(event.kind).label) if event.kind in EventKind else event.kind
    if event.kind == EventKind.NOTE and event.description:
        return event.description
    return f"{kind}: {event.description}" if event.description else kind


def _sent_message_events(details: RunDetails) -> Iterator[tuple[dt.datetime, str]]:
    for message in details.messages:
        if message.sent_at is not None:
            yield message.sent_at, _("message sent: %(channel)s") % {"channel": message.channel.partition(":")[0]}


def _booked_retry_event(details: RunDetails) -> Iterator[tuple[dt.datetime, str]]:
    run, booked = details.run, details.state.retry_at
    if run.finished_at is not None and details.is_last_of_job and booked is not None:
        yield run.finished_at, _("retry booked for %(time)s") % {"time": exact_time(booked, details.now)}
