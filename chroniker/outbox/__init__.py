"""Sends the messages about runs and alarms (mails, webhooks, the error callback), each at least once.

Belongs here: channels, attempts, the sender thread. Does not belong here: the decision which messages are written
(``lifecycle.notify``, ``lifecycle.alarms``).
"""

from chroniker.outbox import heartbeat_url
from chroniker.outbox.delivery import is_message_due, send_due_messages, send_messages_again
from chroniker.outbox.sender_thread import is_sending, start_sender_if_message_due

__all__ = [
    "has_running_outbox_threads",
    "heartbeat_url",
    "is_message_due",
    "is_sending",
    "send_due_messages",
    "send_messages_again",
    "start_sender_if_message_due",
]


def has_running_outbox_threads() -> bool:
    """Whether a thread of this process sends messages, or requests ``CHRONIKER_HEARTBEAT_URL``."""
    return is_sending() or heartbeat_url.is_requesting_heartbeat_url()
