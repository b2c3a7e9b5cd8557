"""Mails, webhooks and the error callback: the messages that closing transactions wrote, sent at least once each."""

from chroniker.outbox.delivery import again, send_due
from chroniker.outbox.sender_thread import is_sending, send_soon

__all__ = ["again", "is_sending", "send_due", "send_soon"]
