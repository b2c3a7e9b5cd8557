"""Messages after one attempt to send them."""

from __future__ import annotations

from typing import Any

from chroniker import outbox
from chroniker.models import Outbox
from tests.support.channels import a_channel, an_alert, raised
from tests.support.factories import a_job


def sent(**fields: Any) -> Outbox:
    """One alert for a new default channel, after one attempt."""
    a_channel(is_default=True, **fields)
    raised(an_alert(a_job()))
    outbox.send_due_messages()
    return Outbox.objects.get()
