"""Notifications about a run's end: written in the transaction that closes the run, sent later by the outbox."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef

from chroniker.conf import settings
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.lifecycle.alert_messages import make_payload
from chroniker.lifecycle.recipients import Recipients, load_recipients, run_has_channels_condition
from chroniker.lifecycle.transactions import send_signal_after_commit
from chroniker.models import Job, JobTrigger, Outbox, Run, Status
from chroniker.models.message_events import RUN_EVENTS, RUN_STARTED_EVENT
from chroniker.outbox.channels import CALLBACK, ERROR_STATUSES, MAIL, Webhook, configured_webhooks
from chroniker.signals import run_finished

#: A killed run is closed before its last output is stored. Its messages wait for that output.
MESSAGE_DELAY_FOR_LAST_OUTPUT = dt.timedelta(seconds=5)


#: The annotations of ``annotate_recipients``.
RECIPIENT_ANNOTATIONS = ("subscribed", "has_channels", "has_triggers")


def annotate_recipients(runs: Any) -> Any:
    """Annotate whether the job has subscribers (``subscribed``), channels for runs (``has_channels``), and triggers.

    If there are none, ``enqueue_end_messages`` and
    ``activations.insert_activations_of_ended_chains`` need no statements.
    """
    subscriptions = Job.subscribers.through._default_manager.filter(job=OuterRef("job"))
    triggers = JobTrigger.objects.filter(source=OuterRef("job"))
    has_channels = run_has_channels_condition("job", "job__group")
    return runs.annotate(subscribed=Exists(subscriptions), has_channels=has_channels, has_triggers=Exists(triggers))


def enqueue_end_messages(runs: Sequence[Run], now: dt.datetime) -> None:
    """Write the messages about the ends of these runs, one for each run and channel.

    At most five statements, however many runs; none without recipients. For a run on every host, one message is
    written about the parent, none about the children.
    """
    reported = [run for run in runs if run.slot == "" and run.status in RUN_EVENTS]
    hooks = configured_webhooks() if reported and settings.webhooks else []
    messages = [
        *_make_mail_messages(reported, now),
        *_make_webhook_messages(reported, hooks, now),
        *_make_callback_messages(reported, now),
    ]
    messages += _make_channel_messages_about_ends(reported, now)
    if messages:
        Outbox.objects.bulk_create(messages)


def enqueue_start_messages(run: Run, now: dt.datetime) -> None:
    """Write the messages about the start of this run, for the channels that get pings or check-ins."""
    found = load_recipients([run.job_id], [run.job.group_id])
    Outbox.objects.bulk_create(_make_channel_messages(run, found, RUN_STARTED_EVENT, now))


def _make_channel_messages_about_ends(runs: Sequence[Run], now: dt.datetime) -> list[Outbox]:
    wanted = [run for run in runs if run.__dict__.get("has_channels", True)]
    if not wanted:
        return []
    found = load_recipients({run.job_id for run in wanted}, {run.job.group_id for run in wanted})
    return [each for run in wanted for each in _make_channel_messages(run, found, RUN_EVENTS[run.status], now)]


def _make_channel_messages(run: Run, found: Recipients, event: str, now: dt.datetime) -> list[Outbox]:
    channels = found.channels_for(run.job_id, run.job.group_id, event)
    text = make_run_message_body(run, event) if channels else {}
    return [_make_message(run, each.key, event, now, make_payload(each.name, text)) for each in channels]


def send_finished_signals(runs: Iterable[Run]) -> None:
    """Send the signal ``run_finished`` for each run, after the commit."""
    for run in runs:
        send_signal_after_commit(
            run_finished,
            Run,
            run_id=run.pk,
            job_id=run.job_id,
            token=run.token,
            status=run.status,
            code=run.code,
            reason=run.reason,
        )


def _make_mail_messages(runs: Sequence[Run], now: dt.datetime) -> list[Outbox]:
    wanted = [run for run in runs if _must_send_mail(run)]
    users = _read_subscribers_by_job({run.job_id for run in wanted}) if wanted else {}
    return [
        _make_message(run, f"{MAIL}:{user_id}", RUN_EVENTS[run.status], now, {"to": name})
        for run in wanted
        for user_id, name in users.get(run.job_id, ())
    ]


def _must_send_mail(run: Run) -> bool:
    if run.status in ERROR_STATUSES:
        wanted = run.job.email_errors_to_subscribers
    else:
        wanted = run.status == Status.SUCCEEDED and run.job.email_success_to_subscribers
    return wanted and run.__dict__.get("subscribed", True)


def _read_subscribers_by_job(job_ids: Iterable[int]) -> dict[int, list[tuple[Any, str]]]:
    """By job: id and name of its active subscribers with an address."""
    model = get_user_model()
    fields, email = {field.name for field in model._meta.get_fields()}, model.get_email_field_name()
    if email not in fields:  # a custom user model may have no e-mail field
        return {}
    conditions: dict[str, Any] = {f"subscribers__{email}__gt": ""}
    if "is_active" in fields:
        conditions["subscribers__is_active"] = True
    found: dict[int, list[tuple[Any, str]]] = defaultdict(list)
    rows = Job.objects.filter(pk__in=job_ids, **conditions).order_by("pk", "subscribers")
    for job_id, user_id, name in rows.values_list("pk", "subscribers", f"subscribers__{model.USERNAME_FIELD}"):
        found[job_id].append((user_id, str(name)))
    return found


def _make_webhook_messages(runs: Sequence[Run], hooks: Sequence[Webhook], now: dt.datetime) -> list[Outbox]:
    by_channel = {hook.channel: hook for hook in hooks}  # a URL that is configured twice gets one message
    return [
        _make_message(run, channel, RUN_EVENTS[run.status], now, make_run_message_body(run, RUN_EVENTS[run.status]))
        for channel, hook in by_channel.items()
        for run in runs
        if RUN_EVENTS[run.status] in hook.events
    ]


def _make_callback_messages(runs: Sequence[Run], now: dt.datetime) -> list[Outbox]:
    wanted = [run for run in runs if settings.job_error_callback and run.status in ERROR_STATUSES]
    return [_make_message(run, CALLBACK, RUN_EVENTS[run.status], now) for run in wanted]


def _make_message(
    run: Run, channel: str, event: str, now: dt.datetime, payload: dict[str, Any] | None = None
) -> Outbox:
    send_at = now + MESSAGE_DELAY_FOR_LAST_OUTPUT if run.status == Status.TIMED_OUT else now
    return Outbox(run_id=run.pk, channel=channel, event=event, payload=payload or {}, send_at=send_at)


def make_run_message_body(run: Run, event: str) -> dict[str, Any]:
    """The body of a webhook's message. Fixed when the run is closed, so that every attempt sends the same body."""
    return {
        "type": event,
        "timestamp": _format_as_utc_iso(run.finished_at or run.started_at),
        "data": {
            "job": {"id": run.job_id, "name": run.job.name},
            "run": str(run.pk),
            "token": run.token,
            "status": run.status,
            "code": run.code,
            "reason": mask_secrets(run.reason, run.job.secrets),
            "trigger": run.trigger,
            "attempt": run.attempt,
            "exit_code": run.exit_code,
            "host": run.host,
            "scheduled_for": _format_as_utc_iso(run.scheduled_for),
            "covered_until": _format_as_utc_iso(run.covered_until),
            "claimed_at": _format_as_utc_iso(run.claimed_at),
            "started_at": _format_as_utc_iso(run.started_at),
            "finished_at": _format_as_utc_iso(run.finished_at),
        },
    }


def _format_as_utc_iso(moment: dt.datetime | None) -> str | None:
    return moment.astimezone(dt.UTC).isoformat() if moment else None
