"""One message at a time: take it, send it, record what came of it."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Collection, Mapping

from django.db import Error

from chroniker.clock.database_clock import database_now
from chroniker.escaping import one_line
from chroniker.exceptions import Undeliverable
from chroniker.models import Outbox
from chroniker.outbox import callback, mail, webhook
from chroniker.outbox.channels import CALLBACK, MAIL, WEBHOOK

logger = logging.getLogger(__name__)

#: A message is its sender's alone for so long; one whose sender died is taken up again after it.
LEASE = dt.timedelta(minutes=5)
#: Before the second attempt; doubled for each further one, up to LONGEST_BACKOFF.
BACKOFF = dt.timedelta(seconds=30)
LONGEST_BACKOFF = dt.timedelta(hours=6)
#: After so many attempts, about three days, a message is given up.
MOST_ATTEMPTS = 22
#: Messages looked up at once.
BATCH = 100
LONGEST_ERROR = 1000

CHANNELS: Mapping[str, Callable[[Outbox], None]] = {MAIL: mail.send, WEBHOOK: webhook.send, CALLBACK: callback.call}


def is_due() -> bool:
    """One look at an index; what was sent is not in it."""
    return Outbox.objects.filter(send_at__lte=database_now()).exists()


def send_due(seconds: float = 60.0) -> int:
    """Send what is due, the longest due first; how many were sent. Begins no further message after ``seconds``.

    Guarantees: a message that another sender has taken is left to it, unless that takes longer than LEASE. So each is
    sent at least once, and twice only when a sender died, or was slow, between sending and saying so.
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
    """Have these messages sent anew, also such as were sent or given up; how many there are."""
    return Outbox.objects.filter(pk__in=ids).update(send_at=database_now(), sent_at=None, attempts=0)


def _due() -> list[Outbox]:
    due = Outbox.objects.filter(send_at__lte=database_now()).order_by("send_at")
    return list(due.select_related("run__job")[:BATCH])


def _take(message: Outbox) -> bool:
    """Whether it is ours. No row: another sender was first, or the job was deleted, and its messages with it."""
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
        raise  # the database's: there is nowhere to record it; the message is taken up again after its lease
    except Exception as error:  # whatever a server, a template or the project's own function raises
        _failed(message, error)
        return False
    Outbox.objects.filter(pk=message.pk).update(sent_at=database_now(), send_at=None, error="")
    return True


def _failed(message: Outbox, error: Exception) -> None:
    """Recorded, unless the message was taken again or sent meanwhile."""
    said = str(error) if isinstance(error, Undeliverable) else f"{type(error).__name__}: {error}"
    over = isinstance(error, Undeliverable) or message.attempts >= MOST_ATTEMPTS
    last = ", the last" if over else ""
    logger.warning("%s: attempt %d failed%s. %s", one_line(message), message.attempts, last, one_line(said))
    ours = Outbox.objects.filter(pk=message.pk, attempts=message.attempts, sent_at=None)
    send_at = None if over else database_now() + backoff(message.attempts)
    ours.update(send_at=send_at, error=said.replace("\0", "\N{SYMBOL FOR NULL}")[:LONGEST_ERROR])


def backoff(attempts: int) -> dt.timedelta:
    """Between this attempt and the next."""
    doubled: int = 2 ** min(attempts - 1, 20)
    return min(BACKOFF * doubled, LONGEST_BACKOFF)
