"""The test of a channel, at the request of a person."""

from __future__ import annotations

from chroniker.escaping import to_one_line
from chroniker.exceptions import MessageUndeliverable
from chroniker.models import Channel
from chroniker.outbox import channel_delivery, failing_channels
from chroniker.outbox.checked_request import NotDelivered


def send_test_and_record_result(channel: Channel) -> str:
    """Send a test in this process. Returns the error; empty: it was delivered.

    Each request takes at most 20 s after the host's name was resolved; PagerDuty gets two. A delivered test makes
    the messages due that waited for the channel. The error of a failed test is recorded like that of a message.
    """
    try:
        channel_delivery.send_test_message(channel)
    except (NotDelivered, MessageUndeliverable) as error:
        text = str(error)
    except Exception as error:  # of the project's mail backend: its text may name hosts
        text = to_one_line(type(error).__name__)
    else:
        failing_channels.record_channel_success(channel.key)
        return ""
    failing_channels.record_channel_error(channel.key, text)
    return text


def retry_waiting_messages(channel: Channel) -> None:
    """Let the next sender try the channel: a person has edited it."""
    failing_channels.make_waiting_messages_due(channel.key)
