"""The logged actions of users, commands and programs on one object, as rows of its pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest, HttpResponse

from chroniker.models import Action, AuditEntry, Group, Job, Switch

#: The largest number of rows on one page.
MAX_ROWS = 100


@dataclass(frozen=True, slots=True)
class AuditRow:
    at: dt.datetime
    actor: str
    text: str


def fetch_actions_of_programs(target: Job | Group | Switch, actions: Collection[Action] = ()) -> list[AuditRow]:
    """The actions of commands and programs, newest first. ``actions``: only these kinds; empty: all. One statement."""
    entries = AuditEntry.objects.entries_of_row(target)
    if actions:
        entries = entries.filter(action__in=list(actions))
    return [AuditRow(entry.at, entry.actor, str(entry)) for entry in entries[:MAX_ROWS]]


def fetch_actions_of_users(target: Job | Group | Switch) -> list[AuditRow]:
    """The actions in the log of Django's admin, newest first. One statement; Django adds one for the content type."""
    entries = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(target), object_id=str(target.pk))
    return [
        AuditRow(entry.action_time, entry.user.get_username(), entry.get_change_message())
        for entry in entries.select_related("user").order_by("-pk")[:MAX_ROWS]
    ]


def fetch_pause_history(group_or_switch: Group | Switch) -> list[AuditRow]:
    """The rows that say who paused or resumed a group or all jobs, newest first.

    For a group they include other changes by users; for all jobs, also drains of hosts and deletions of old runs.
    """
    programs = fetch_actions_of_programs(
        group_or_switch, (Action.PAUSED, Action.RESUMED) if isinstance(group_or_switch, Group) else ()
    )
    return sorted([*programs, *fetch_actions_of_users(group_or_switch)], key=lambda each: each.at, reverse=True)[
        :MAX_ROWS
    ]


class AuditedHistoryMixin:
    """Mixin of a ``ModelAdmin``: the page “Change log” also shows what commands and programs did to the object."""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response: HttpResponse = super().history_view(request, object_id, extra_context)  # type: ignore[misc]
        context = getattr(response, "context_data", None)  # not for a redirect
        if context is not None:
            context["of_programs"] = fetch_actions_of_programs(context["object"])
        return response
