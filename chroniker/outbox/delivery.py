"""Send messages: reserve each, send it, record the result. At most one at a time for each server."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any

from django.db import Error
from django.db.models import Q, QuerySet

from chroniker.clock.database_clock import StatementNowPlus, database_now
from chroniker.escaping import to_one_line
from chroniker.exceptions import FOREIGN_CODE_ERRORS, MessageOutdated, MessageUndeliverable
from chroniker.models import FailingChannel, Outbox, installation
from chroniker.models.compiled import fetch_rows
from chroniker.outbox import callback, channel_delivery, failing_channels, mail, settings_webhook
from chroniker.outbox.channels import CALLBACK, DATABASE_CHANNEL_KIND, MAIL, MAIL_ADDRESS_KIND, WEBHOOK
from chroniker.outbox.checked_request import NotDelivered
from chroniker.outbox.failing_channels import MAX_ATTEMPTS, KnownFailingChannels, backoff_delay
from chroniker.outbox.under_way import MAX_FAILING_SERVERS, MAX_SERVERS, MessagesBeingSent

logger = logging.getLogger(__name__)

#: A sender reserves a message for this time. If the sender dies, the message is due again afterwards.
RESERVATION_TIME = dt.timedelta(minutes=5)
#: Messages fetched by one query.
BATCH_SIZE = 100
#: With messages for so many servers in memory, no message of a failing channel is read: a query names each server.
MAX_SERVERS_WITH_WAITING_MESSAGES = 100
MAX_ERROR_LENGTH = 1000
#: While servers are slow to answer, look for new messages for others so often, in seconds.
MESSAGE_POLL_INTERVAL_SECONDS = 1.0

#: For each kind of channel: a function that prepares a message. It returns one that sends it without the database.
PREPARE_BY_KIND: Mapping[str, Callable[[Outbox], Callable[[], None]]] = {
    MAIL: mail.prepare_sending,
    MAIL_ADDRESS_KIND: mail.prepare_sending,
    WEBHOOK: settings_webhook.prepare_sending,
    CALLBACK: callback.prepare_sending,
    DATABASE_CHANNEL_KIND: channel_delivery.prepare_sending,
}
#: Channels that lead to one server each. They are deferred as a whole when they fail.
KINDS_WITH_OWN_SERVER = frozenset({WEBHOOK, DATABASE_CHANNEL_KIND})
#: The kinds of messages that share the project's mail server.
MAIL_KINDS = frozenset({MAIL, MAIL_ADDRESS_KIND})


def is_message_due() -> bool:
    """Whether a message is due. One read of an index without sent messages."""
    return bool(fetch_rows(_first_due_message))


def _first_due_message() -> QuerySet[Outbox, Any]:
    rows = Outbox.objects.filter(~installation.database_copied_condition(), send_at__lte=StatementNowPlus())
    return rows.order_by("send_at").values_list("pk")[:1]


def send_due_messages(time_limit: float = 60.0) -> int:
    """Send due messages, alerts first, then the longest due; returns how many. Begins no message after ``time_limit``.

    Guarantees: a message that another sender has reserved is not sent for RESERVATION_TIME. So each message is sent at
    least once. It is sent twice only if a sender dies, or takes longer than RESERVATION_TIME, between sending the
    message and recording it. Messages of one channel are sent in their order. A channel that fails is deferred with
    all its messages. While a server does not answer, messages for other servers are sent: to ``MAX_SERVERS`` servers
    at a time, of which at most ``MAX_FAILING_SERVERS`` failed before.
    """
    return _SendingPass(time.monotonic() + time_limit).run()


class _SendingPass:
    """One call of ``send_due_messages``. Its threads only send; all reads and writes of the database are made here."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.sent = 0
        self.under_way = MessagesBeingSent()
        self.failing = KnownFailingChannels()
        self.waiting: dict[str, deque[Outbox]] = {}  #: by server; those under way are among the keys
        self.has_more = True  #: messages may be due for other servers than these
        self.batch_read_at = 0.0

    def run(self) -> int:
        while self._begin_messages() or self.under_way:
            if (answer := self.under_way.wait_for_sent_message(MESSAGE_POLL_INTERVAL_SECONDS)) is not None:
                message, error = answer
                self._record_result(message, error)
            elif time.monotonic() > self.until + RESERVATION_TIME.total_seconds():
                break  # it hangs: the message is due again, for another sender
            self.has_more |= time.monotonic() - self.batch_read_at >= MESSAGE_POLL_INTERVAL_SECONDS
        return self.sent

    def _begin_messages(self) -> bool:
        """Begin all messages that may begin now; returns whether any did."""
        before = len(self.under_way)
        while time.monotonic() < self.until and len(self.under_way) < MAX_SERVERS:
            if (message := self._next_message()) is None:
                break
            if message.channel not in self.failing.deferred and _reserve_message(message):
                self._begin_message(message)
        return len(self.under_way) > before

    def _next_message(self) -> Outbox | None:
        """The next message for a server that has none under way."""
        for server, waiting in list(self.waiting.items()):
            if server in self.under_way or (self._has_channel_failed(server) and self._has_too_many_failing_servers()):
                continue
            if waiting:
                return waiting.popleft()
            del self.waiting[server]
            self.has_more = True
        return self._next_message() if self._fetch_batch() else None

    def _has_channel_failed(self, channel: str) -> bool:
        return channel in self.failing.known

    def _has_too_many_failing_servers(self) -> bool:
        return sum(map(self._has_channel_failed, self.under_way)) >= MAX_FAILING_SERVERS

    def _fetch_batch(self) -> bool:
        """Read a batch of messages for other servers; returns whether there was any."""
        if not self.has_more:
            return False
        batch = _fetch_due_batch(self.waiting, with_failing=len(self.waiting) < MAX_SERVERS_WITH_WAITING_MESSAGES)
        self.has_more, self.batch_read_at = bool(batch), time.monotonic()
        for message in batch:
            self.waiting.setdefault(_server_name(message), deque()).append(message)
        self.failing.refresh({message.channel for message in batch})
        return bool(batch)

    def _begin_message(self, message: Outbox) -> None:
        kind = message.channel.partition(":")[0]
        try:
            if kind not in PREPARE_BY_KIND:
                raise MessageUndeliverable(f"There is no channel “{kind}”.")
            send = PREPARE_BY_KIND[kind](message)
        except Error:
            raise  # a database error cannot be recorded; the message is due again after RESERVATION_TIME
        except FOREIGN_CODE_ERRORS as error:  # from a template or a setting
            self._record_result(message, error)
        else:
            self.under_way.start(_server_name(message), message, send)

    def _record_result(self, message: Outbox, error: BaseException | None) -> None:
        """Record the result: of the message, and of its channel."""
        channel = message.channel
        if error is not None:
            _record_message_failure(message, error)
            if channel.partition(":")[0] in KINDS_WITH_OWN_SERVER:
                _record_channel_failure(channel, error, self.failing)
            return
        Outbox.objects.filter(pk=message.pk).update(sent_at=database_now(), send_at=None, error="")
        if channel in self.failing.known:
            failing_channels.record_channel_success(channel)
            self.failing.known.discard(channel)
        self.sent += 1


def _server_name(message: Outbox) -> str:
    """The name of the server that a message is for."""
    kind = message.channel.partition(":")[0]
    return message.channel if kind in KINDS_WITH_OWN_SERVER else MAIL if kind in MAIL_KINDS else kind


def send_messages_again(message_ids: Collection[int]) -> int:
    """Make these messages due again, also those that were sent or given up, and their channels; returns how many."""
    failing_channels.end_deferral_of_channels(
        Outbox.objects.filter(pk__in=message_ids).values_list("channel", flat=True)
    )
    return Outbox.objects.filter(pk__in=message_ids).update(send_at=database_now(), sent_at=None, attempts=0)


def _fetch_due_batch(without_servers: Collection[str] = (), *, with_failing: bool = True) -> list[Outbox]:
    """Due messages, without those for these servers. Each is reserved, postponed or deleted before the next batch."""
    others = Q()
    for server in without_servers:
        kinds = MAIL_KINDS if server == MAIL else frozenset({server})
        for kind in kinds:
            others |= Q(channel=kind) | Q(channel__startswith=f"{kind}:")
    rows = _due_messages().exclude(others) if without_servers else _due_messages()
    if not with_failing:
        rows = rows.exclude(channel__in=FailingChannel.objects.values("channel"))
    rows = rows.select_related("run__job", "alert").order_by("send_at", "pk")
    return list(rows.filter(is_urgent=True)[:BATCH_SIZE]) or list(rows.filter(is_urgent=False)[:BATCH_SIZE])


def _due_messages() -> QuerySet[Outbox]:
    """The due messages; none in a copy of the database, which has the messages of the original."""
    return Outbox.objects.filter(~installation.database_copied_condition(), send_at__lte=database_now())


def _reserve_message(message: Outbox) -> bool:
    """Reserve the message. ``False``: another sender was first, or the message was deleted with its job."""
    now = database_now()
    due = Outbox.objects.filter(pk=message.pk, attempts=message.attempts, send_at__lte=now)
    message.attempts += 1
    return bool(due.update(attempts=message.attempts, send_at=now + RESERVATION_TIME))


def _record_channel_failure(channel: str, error: BaseException, failing: KnownFailingChannels) -> None:
    """Defer the channel, unless the error is about this one message."""
    if isinstance(error, MessageOutdated):
        return
    if _is_error_caused_by_message(error):
        failing_channels.record_channel_error(channel, _error_text(error))
    else:
        failing_channels.defer_failing_channel(
            channel, _error_text(error), error.wait if isinstance(error, NotDelivered) else 0
        )
        failing.deferred.add(channel)
    failing.known.add(channel)


def _is_error_caused_by_message(error: BaseException) -> bool:
    return isinstance(error, MessageUndeliverable) or (isinstance(error, NotDelivered) and error.is_caused_by_message)


def _error_text(error: BaseException) -> str:
    """The error without what an address or a server may give away: channels report the status alone."""
    plain = isinstance(error, MessageUndeliverable | NotDelivered)
    text = str(error) if plain else f"{type(error).__name__}: {error}"
    return text.replace("\0", "\N{SYMBOL FOR NULL}")[:MAX_ERROR_LENGTH]


def _record_message_failure(message: Outbox, error: BaseException) -> None:
    """Record the error, unless the message was reserved again or sent meanwhile."""
    text = _error_text(error)
    over = isinstance(error, MessageUndeliverable) or message.attempts >= MAX_ATTEMPTS
    last = ", the last" if over else ""
    logger.warning("%s: attempt %d failed%s. %s", to_one_line(message), message.attempts, last, to_one_line(text))
    ours = Outbox.objects.filter(pk=message.pk, attempts=message.attempts, sent_at=None)
    ours.update(send_at=None if over else database_now() + backoff_delay(message.attempts), error=text)
