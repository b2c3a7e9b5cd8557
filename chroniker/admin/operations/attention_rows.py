"""The rows of “Needs attention” on the start page: state, job, what is wrong, why, and at most two buttons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from chroniker.admin.shared.alert_cells import alert_state_code, mute_form_url
from chroniker.admin.shared.site_links import admin_url, job_url
from chroniker.insights.attention import AttentionItem
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.models import Job

#: The largest number of items that the page lists. It counts the others, with a link.
MAX_ITEMS_SHOWN = 20
MAX_BUTTONS_PER_ITEM = 2
#: The kind of an item about an alert begins with this.
ALERT_KIND_PREFIX = "alert_"
#: The state code of each kind of item that is not about an alert.
STATE_CODE_BY_ITEM_KIND = {
    "no_tick": "overdue",
    "failing": "failing",
    "held": "on_hold",
    "lost": "lost",
    "overdue": "overdue",
    "no_worker": "queued",
    "schedule_error": "schedule_error",
    "mails": "failing",
}


@dataclass(frozen=True, slots=True)
class AttentionButton:
    """A link. If ``posts`` is true: a button that sends a POST request. ``label`` is its accessible name."""

    text: str
    url: str
    label: str = ""
    posts: bool = False


def attention_rows(items: Sequence[AttentionItem], has_permission: Callable[[str], bool]) -> list[dict[str, Any]]:
    """The rows for the template: those of the first ``MAX_ITEMS_SHOWN`` items."""
    return [_attention_row(item, has_permission) for item in items[:MAX_ITEMS_SHOWN]]


def _attention_row(item: AttentionItem, has_permission: Callable[[str], bool]) -> dict[str, Any]:
    job = item.job
    url = job_url(job.pk) if job else ""
    return {
        "kind": item.kind,
        "code": _state_code(item.kind),
        "name": job.name if job else "",
        "url": url,
        "what": mask_secrets(item.problem, job.secrets) if job else item.problem,
        "why": " ".join(filter(None, [item.why, _owner_text(item)])),
        "error": mask_secrets(item.error, job.secrets) if job and has_permission("view_run") else "",
        "buttons": [button for button in _attention_buttons(item, has_permission) if button.url],
    }


def _state_code(item_kind: str) -> str:
    return STATE_CODE_BY_ITEM_KIND.get(item_kind) or alert_state_code(item_kind.removeprefix(ALERT_KIND_PREFIX))


def _owner_text(item: AttentionItem) -> str:
    return _("Owner: %(owner)s.") % {"owner": item.job.owner} if item.job is not None and item.job.owner else ""


def _attention_buttons(item: AttentionItem, has_permission: Callable[[str], bool]) -> list[AttentionButton]:
    buttons = _action_buttons(item, has_permission)
    if item.job is not None and item.job.runbook:
        buttons.append(AttentionButton(_("Runbook"), item.job.runbook, _("Runbook of %(job)s") % {"job": item.job}))
    return buttons


def _action_buttons(item: AttentionItem, has_permission: Callable[[str], bool]) -> list[AttentionButton]:
    if item.kind == "held" and item.job is not None:
        return [_resume_button(item.job, has_permission), *_run_buttons(item, has_permission)][:MAX_BUTTONS_PER_ITEM]
    if item.kind.startswith(ALERT_KIND_PREFIX) and item.job is not None:
        words = {"job": item.job}
        return [
            AttentionButton(
                _("Mute"), mute_form_url(item.job.pk, has_permission), _("Mute the alerts of %(job)s") % words
            )
        ]
    if item.kind in ("failing", "lost"):
        return _run_buttons(item, has_permission)
    if item.kind == "schedule_error" and item.job is not None:
        url = admin_url("chroniker_job_change", item.job.pk) if has_permission("change_job") else ""
        return [AttentionButton(_("Edit"), url, _("Edit %(job)s") % {"job": item.job})]
    if item.kind == "mails":
        return [
            AttentionButton(
                _("Messages"), admin_url("chroniker_outbox_changelist") if has_permission("view_outbox") else ""
            )
        ]
    fleet = admin_url("chroniker_host_changelist") if has_permission("view_host") else ""
    if item.kind == "no_worker":
        return [AttentionButton(_("Queues"), fleet and f"{fleet}#queues")]
    return [AttentionButton(_("How to check"), fleet and f"{fleet}#ticks")] if item.kind == "no_tick" else []


def _resume_button(job: Job, has_permission: Callable[[str], bool]) -> AttentionButton:
    url = admin_url("chroniker_job_resume", job.pk) if has_permission("change_job") else ""
    return AttentionButton(_("Resume"), url, _("Resume %(job)s") % {"job": job}, posts=True)


def _run_buttons(item: AttentionItem, has_permission: Callable[[str], bool]) -> list[AttentionButton]:
    if item.run_id is None:
        return []
    again = admin_url("chroniker_run_again", item.run_id) if has_permission("run_job") else ""
    shown = admin_url("chroniker_run_change", item.run_id) if has_permission("view_run") else ""
    words = {"job": item.job}
    return [
        AttentionButton(_("Run again"), again, _("Run %(job)s again") % words, posts=True),
        AttentionButton(_("Output"), shown and f"{shown}#output", _("Output of %(job)s") % words),
    ]
