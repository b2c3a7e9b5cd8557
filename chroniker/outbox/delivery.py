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
from chroniker.exceptions import Undeliverable
from chroniker.models import Outbox, installation
from chroniker.outbox import callback, mail, webhook
from chroniker.outbox.channels import ADDRESS, CALLBACK, MAIL, WEBHOOK

logger = logging.getLogger(__name__)

#: A sender reserves a message for this time. If the sender dies, the message is due again afterwards.
LEASE = dt.timedelta(minutes=5)
#: The wait before the second attempt; doubled for each further attempt, up to LONGEST_BACKOFF.
BACKOFF = dt.timedelta(seconds=30)
LONGEST_BACKOFF = dt.timedelta(hours=6)
#: A message is given up after this many attempts (about three days).
MOST_ATTEMPTS = 22
#: Messages fetched by one query.
BATCH = 100
LONGEST_ERROR = 1000

CHANNELS: Mapping[str, Callable[[Outbox], None]] = {
    MAIL: mail.send,
    ADDRESS: mail.send,
    WEBHOOK: webhook.send,
    CALLBACK: callback.call,
}


def is_due() -> bool:
    """Whether a message is due. One read of an index without sent messages."""
    return _due_rows().exists()


def send_due(seconds: float = 60.0) -> int:
    """Send due messages, the longest due first; returns how many were sent. Begins no message after ``seconds``.

    Guarantees: a message that another sender has reserved is not sent for the length of LEASE. So each is sent at
    least once; twice only if a sender dies, or takes longer than LEASE, between sending and recording it.
    """
    sent, began = 0, time.monotonic()
    while batch := _due():
        for message in batch:
            if time.monotonic() - began >= seconds:
                return sent
            sent += _take(message) and _send(message)
        if len(batch) < BATCH:
            break
    return sent


def again(ids: Collection[int]) -> int:
    """Make these messages due again, also those that were sent or given up; returns how many."""
    return Outbox.objects.filter(pk__in=ids).update(send_at=database_now(), sent_at=None, attempts=0)


def _due() -> list[Outbox]:
    return list(_due_rows().order_by("send_at").select_related("run__job")[:BATCH])


def _due_rows() -> QuerySet[Outbox]:
    """None in a copy of the database: there the messages of the original wait."""
    return Outbox.objects.filter(~installation.is_copied(), send_at__lte=database_now())


def _take(message: Outbox) -> bool:
    """Reserve the message. ``False``: another sender was first, or the message was deleted with its job."""
    now = database_now()
    due = Outbox.objects.filter(pk=message.pk, attempts=message.attempts, send_at__lte=now)
    message.attempts += 1
    return bool(due.update(attempts=message.attempts, send_at=now + LEASE))


def _send(message: Outbox) -> bool:
    kind = message.channel.partition(":")[0]
    try:
        if kind not in CHANNELS:
            raise Undeliverable(f"There is no channel “{kind}”.")
        CHANNELS[kind](message)
    except Error:
        raise  # a database error cannot be recorded; the message is due again after LEASE
    except Exception as error:  # from a server, a template or the project's function
        _failed(message, error)
        return False
    Outbox.objects.filter(pk=message.pk).update(sent_at=database_now(), send_at=None, error="")
    return True


def _failed(message: Outbox, error: Exception) -> None:
    """Record the error, unless the message was reserved again or sent meanwhile."""
    text = str(error) if isinstance(error, Undeliverable) else f"{type(error).__name__}: {error}"
    over = isinstance(error, Undeliverable) or message.attempts >= MOST_ATTEMPTS
    last = ", the last" if over else ""
    logger.warning("%s: attempt %d failed%s. %s", one_line(message), message.attempts, last, one_line(text))
    ours = Outbox.objects.filter(pk=message.pk, attempts=message.attempts, sent_at=None)
    send_at = None if over else database_now() + backoff(message.attempts)
    ours.update(send_at=send_at, error=text.replace("\0", "\N{SYMBOL FOR NULL}")[:LONGEST_ERROR])


def backoff(attempts: int) -> dt.timedelta:
    """The time between this attempt and the next."""
    doubled: int = 2 ** min(attempts - 1, 20)
    return min(BACKOFF * doubled, LONGEST_BACKOFF)
