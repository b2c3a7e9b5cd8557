"""Channels that fail are deferred as a whole, so that a dead address costs one attempt, not one for each message."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from django.db.models import F, Q, QuerySet

from chroniker.clock.database_clock import database_now
from chroniker.models import FailingChannel, Outbox

#: The wait after the first failure; doubled for each further one, up to MAX_BACKOFF.
FIRST_BACKOFF = dt.timedelta(seconds=30)
MAX_BACKOFF = dt.timedelta(hours=6)
#: A message is given up after this many attempts (about three days).
MAX_ATTEMPTS = 22
MAX_ERROR_LENGTH = 300


def backoff_delay(attempts: int) -> dt.timedelta:
    """The time between this attempt and the next."""
    doubled: int = 2 ** min(attempts - 1, 20)
    return min(FIRST_BACKOFF * doubled, MAX_BACKOFF)


@dataclass(slots=True)
class KnownFailingChannels:
    """The failing channels among those of a batch, and those that failed during it."""

    known: set[str] = field(default_factory=set)
    deferred: set[str] = field(default_factory=set)  #: nothing is sent to them now

    def refresh(self, channels: set[str]) -> None:
        """Read again which of these channels fail."""
        found = read_failing_and_postpone_messages(channels) if channels else KnownFailingChannels()
        self.known = self.known - channels | found.known
        self.deferred = self.deferred - channels | found.deferred


def read_failing_and_postpone_messages(channels: Collection[str]) -> KnownFailingChannels:
    """The failing ones among these channels. The messages of deferred channels are postponed, without an attempt."""
    rows = FailingChannel.objects.filter(channel__in=channels).values_list("channel", "deferred_until")
    found, now = dict(rows), None
    failing = KnownFailingChannels(set(found))
    for channel, until in found.items():
        now = now or database_now()
        if now < until <= now + MAX_BACKOFF:  # a later time comes from a jump of the clock
            _waiting_messages(channel).update(send_at=until)
            failing.deferred.add(channel)
    return failing


def defer_failing_channel(channel: str, error: str, wait: int) -> None:
    """The channel failed: defer it, and let the attempt count for all its waiting messages.

    ``wait``: seconds that the server requested.
    """
    now = database_now()
    row = _get_or_create_failing_channel(channel, now)
    row.update(failures=F("failures") + 1, error=error[:MAX_ERROR_LENGTH])
    failures = row.values_list("failures", flat=True).first() or 1
    until = now + max(backoff_delay(failures), dt.timedelta(seconds=wait))
    row.update(deferred_until=until)
    waiting = _waiting_messages(channel)
    waiting.filter(attempts__gte=MAX_ATTEMPTS - 1).update(send_at=None, attempts=F("attempts") + 1, error=error)
    waiting.update(send_at=until, attempts=F("attempts") + 1, error=error)


def record_channel_error(channel: str, error: str) -> None:
    """One message, or a test, cannot be sent: remember that for ``doctor``. The channel is not deferred."""
    _get_or_create_failing_channel(channel, database_now()).update(error=error[:MAX_ERROR_LENGTH])


def _get_or_create_failing_channel(channel: str, now: dt.datetime) -> QuerySet[FailingChannel]:
    FailingChannel.objects.get_or_create(channel=channel, defaults={"since": now, "deferred_until": now})
    return FailingChannel.objects.filter(channel=channel)


def end_deferral_of_channels(channels: Iterable[str]) -> None:
    """Let the next sender try these channels, deferred or not: by the request of a person."""
    FailingChannel.objects.filter(channel__in=set(channels)).update(deferred_until=database_now())


def make_waiting_messages_due(channel: str) -> None:
    """Make the messages due that wait for this channel, and let the next sender try it."""
    rows = FailingChannel.objects.filter(channel=channel)
    for until in rows.values_list("deferred_until", flat=True):
        now = database_now()
        Outbox.objects.filter(channel=channel, send_at=until).update(send_at=now)
        rows.update(deferred_until=now)


def record_channel_success(channel: str) -> None:
    """The channel works: forget its failures, and make the messages due that waited for it."""
    make_waiting_messages_due(channel)
    FailingChannel.objects.filter(channel=channel).delete()


def _waiting_messages(channel: str) -> QuerySet[Outbox]:
    """Its messages that are due. Those that another sender has reserved are not."""
    return Outbox.objects.filter(Q(sent_at=None), channel=channel, send_at__lte=database_now())
