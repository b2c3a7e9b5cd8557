"""Mails, webhooks and the error callback: the messages that closing transactions wrote, sent at least once each."""

from chroniker.outbox.sender import is_sending, send_soon
from chroniker.outbox.sending import again, send_due

__all__ = ["again", "is_sending", "send_due", "send_soon"]
