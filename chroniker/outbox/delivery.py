"""Send messages one at a time: reserve, send, record the result."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Collection, Mapping

from django.db import Error
from django.db.models import QuerySet

from chroniker.clock.database_clock import database_now
from chroniker.escaping import one_line
from chroniker.exceptions import Outdated, Undeliverable
from chroniker.models import Outbox, installation
from chroniker.outbox import callback, channel_delivery, failing_channels, mail, webhook
from chroniker.outbox.channels import ADDRESS, CALLBACK, CHANNEL, MAIL, WEBHOOK
from chroniker.outbox.checked_request import NotDelivered
from chroniker.outbox.failing_channels import MOST_ATTEMPTS, Failing, backoff

logger = logging.getLogger(__name__)

#: A sender reserves a message for this time. If the sender dies, the message is due again afterwards.
LEASE = dt.timedelta(minutes=5)
#: Messages fetched by one query.
BATCH = 100
LONGEST_ERROR = 1000

CHANNELS: Mapping[str, Callable[[Outbox], None]] = {
    MAIL: mail.send,
    ADDRESS: mail.send,
    WEBHOOK: webhook.send,
    CALLBACK: callback.call,
    CHANNEL: channel_delivery.send,
}
#: Channels that lead to one server each. They are deferred as a whole when they fail.
SERVERS = frozenset({WEBHOOK, CHANNEL})


def is_due() -> bool:
    """Whether a message is due. One read of an index without sent messages."""
    return _due_rows().exists()


def send_due(seconds: float = 60.0) -> int:
    """Send due messages, alerts first, then the longest due; returns how many. Begins no message after ``seconds``.

    Guarantees: a message that another sender has reserved is not sent for the length of LEASE. So each is sent at
    least once; twice only if a sender dies, or takes longer than LEASE, between sending and recording it. A channel
    that fails is deferred with all its messages, and delays no other by more than one attempt.
    """
    sent, began = 0, time.monotonic()
    while batch := _due():
        failing = failing_channels.read({message.channel for message in batch})
        for message in batch:
            if time.monotonic() - began >= seconds:
                return sent
            if message.channel not in failing.deferred and _take(message):
                sent += _send(message, failing)
    return sent


def again(ids: Collection[int]) -> int:
    """Make these messages due again, also those that were sent or given up, and their channels; returns how many."""
    failing_channels.try_again(Outbox.objects.filter(pk__in=ids).values_list("channel", flat=True))
    return Outbox.objects.filter(pk__in=ids).update(send_at=database_now(), sent_at=None, attempts=0)


def _due() -> list[Outbox]:
    """A batch. Each message of it is taken, postponed or deleted, so that the next batch has others."""
    rows = _due_rows().select_related("run__job", "alert").order_by("send_at", "pk")
    return list(rows.filter(is_urgent=True)[:BATCH]) or list(rows.filter(is_urgent=False)[:BATCH])


def _due_rows() -> QuerySet[Outbox]:
    """None in a copy of the database: there the messages of the original wait."""
    return Outbox.objects.filter(~installation.is_copied(), send_at__lte=database_now())


def _take(message: Outbox) -> bool:
    """Reserve the message. ``False``: another sender was first, or the message was deleted with its job."""
    now = database_now()
    due = Outbox.objects.filter(pk=message.pk, attempts=message.attempts, send_at__lte=now)
    message.attempts += 1
    return bool(due.update(attempts=message.attempts, send_at=now + LEASE))


def _send(message: Outbox, failing: Failing) -> bool:
    """Send one message, and record the result: of the message, and of its channel."""
    kind = message.channel.partition(":")[0]
    try:
        if kind not in CHANNELS:
            raise Undeliverable(f"There is no channel “{kind}”.")
        CHANNELS[kind](message)
    except Error:
        raise  # a database error cannot be recorded; the message is due again after LEASE
    except Exception as error:  # from a server, a template or the project's function
        _failed(message, error)
        if kind in SERVERS:
            _channel_failed(message.channel, error, failing)
        return False
    Outbox.objects.filter(pk=message.pk).update(sent_at=database_now(), send_at=None, error="")
    if message.channel in failing.known:
        failing_channels.record_success(message.channel)
        failing.known.discard(message.channel)
    return True


def _channel_failed(channel: str, error: Exception, failing: Failing) -> None:
    """Defer the channel, unless the error is about this one message."""
    if isinstance(error, Outdated):
        return
    if _is_about_message(error):
        failing_channels.record_refusal(channel, _text(error))
    else:
        failing_channels.record_failure(channel, _text(error), error.wait if isinstance(error, NotDelivered) else 0)
        failing.deferred.add(channel)
    failing.known.add(channel)


def _is_about_message(error: Exception) -> bool:
    return isinstance(error, Undeliverable) or (isinstance(error, NotDelivered) and error.is_about_message)


def _text(error: Exception) -> str:
    """The error without what an address or a server may give away: channels report the status alone."""
    plain = isinstance(error, Undeliverable | NotDelivered)
    text = str(error) if plain else f"{type(error).__name__}: {error}"
    return text.replace("\0", "\N{SYMBOL FOR NULL}")[:LONGEST_ERROR]


def _failed(message: Outbox, error: Exception) -> None:
    """Record the error, unless the message was reserved again or sent meanwhile."""
    text = _text(error)
    over = isinstance(error, Undeliverable) or message.attempts >= MOST_ATTEMPTS
    last = ", the last" if over else ""
    logger.warning("%s: attempt %d failed%s. %s", one_line(message), message.attempts, last, one_line(text))
    ours = Outbox.objects.filter(pk=message.pk, attempts=message.attempts, sent_at=None)
    ours.update(send_at=None if over else database_now() + backoff(message.attempts), error=text)
