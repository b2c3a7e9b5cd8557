"""Sends the messages about runs (mails, webhooks, the error callback), each at least once.

Belongs here: channels, attempts, the sender thread. Does not belong here: the decision which messages are written
(``lifecycle.notify``).
"""

from chroniker.outbox.delivery import again, send_due
from chroniker.outbox.sender_thread import is_sending, send_soon

__all__ = ["again", "is_sending", "send_due", "send_soon"]
