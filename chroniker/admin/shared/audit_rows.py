"""The actions of users, commands and programs on one object, for its pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest, HttpResponse

from chroniker.models import Action, AuditEntry, Group, Job, Switch

#: Rows of one page.
MOST = 100


@dataclass(frozen=True, slots=True)
class AuditRow:
    at: dt.datetime
    actor: str
    text: str


def actions_of_programs(row: Job | Group | Switch, actions: Collection[Action] = ()) -> list[AuditRow]:
    """Of commands and programs, newest first; of all kinds, or of these. One statement."""
    entries = AuditEntry.objects.of(row)
    if actions:
        entries = entries.filter(action__in=list(actions))
    return [AuditRow(entry.at, entry.actor, str(entry)) for entry in entries[:MOST]]


def actions_of_users(row: Job | Group | Switch) -> list[AuditRow]:
    """From the log of Django's admin, newest first. One statement, besides Django's for the content type."""
    entries = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(row), object_id=str(row.pk))
    return [
        AuditRow(entry.action_time, entry.user.get_username(), entry.get_change_message())
        for entry in entries.select_related("user").order_by("-pk")[:MOST]
    ]


def pauses_of(row: Group | Switch) -> list[AuditRow]:
    """Who paused and resumed this, newest first. Of a group, also other changes by users; of all jobs, also drains of
    hosts and deletions of old runs."""
    programs = actions_of_programs(row, (Action.PAUSED, Action.RESUMED) if isinstance(row, Group) else ())
    return sorted([*programs, *actions_of_users(row)], key=lambda each: each.at, reverse=True)[:MOST]


class AuditedHistory:
    """Mixin of a ``ModelAdmin``: the page “Change log” also shows what commands and programs did to the object."""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response: HttpResponse = super().history_view(request, object_id, extra_context)  # type: ignore[misc]
        context = getattr(response, "context_data", None)  # not for a redirect
        if context is not None:
            context["of_programs"] = actions_of_programs(context["object"])
        return response
