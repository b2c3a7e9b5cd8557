"""What a user presses in the lists and pages of jobs, and what is recorded of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.test import Client

from chroniker.models import Job

if TYPE_CHECKING:
    pass


LIST = "/admin/chroniker/job/"


def messages_of(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def act(client: Client, action: str, *jobs: Job, **more: str) -> str:
    client.cookies.pop("messages", None)
    selected = [str(job.pk) for job in jobs]
    chosen = {"action": action, "_selected_action": selected, "confirmed": str(len(selected)), **more}
    return messages_of(client.post(LIST, chosen))


def history() -> list[str]:
    return list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))
