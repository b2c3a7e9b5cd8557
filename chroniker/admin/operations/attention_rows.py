"""The rows of “Needs attention” on the start page: state, job, what is wrong, why, and at most two buttons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from chroniker.admin.shared.alert_cells import alert_state_code, mute_url
from chroniker.admin.shared.site_links import admin_url, job_url
from chroniker.insights.attention import Item
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.models import Job

#: Rows of the page. The rest is a number with a link.
SHOWN = 20
MOST_BUTTONS = 2
#: The beginning of the kinds of items about alerts.
ALERT = "alert_"
#: The state of each kind of item.
CODES = {
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
class Button:
    """A link, or with ``posts`` a button that changes something. ``label`` is its accessible name."""

    text: str
    url: str
    label: str = ""
    posts: bool = False


def attention_rows(items: Sequence[Item], may: Callable[[str], bool]) -> list[dict[str, Any]]:
    """For the template, without items beyond ``SHOWN``."""
    return [_row(item, may) for item in items[:SHOWN]]


def _row(item: Item, may: Callable[[str], bool]) -> dict[str, Any]:
    job = item.job
    url = job_url(job.pk) if job else ""
    return {
        "kind": item.kind,
        "code": _state_code(item.kind),
        "name": job.name if job else "",
        "url": url,
        "what": mask_secrets(item.what, job.secrets) if job else item.what,
        "why": " ".join(filter(None, [item.why, _owner_text(item)])),
        "error": mask_secrets(item.error, job.secrets) if job and may("view_run") else "",
        "buttons": [button for button in _buttons(item, may) if button.url],
    }


def _state_code(kind: str) -> str:
    return CODES.get(kind) or alert_state_code(kind.removeprefix(ALERT))


def _owner_text(item: Item) -> str:
    return _("Owner: %(owner)s.") % {"owner": item.job.owner} if item.job is not None and item.job.owner else ""


def _buttons(item: Item, may: Callable[[str], bool]) -> list[Button]:
    buttons = _action_buttons(item, may)
    if item.job is not None and item.job.runbook:
        buttons.append(Button(_("Runbook"), item.job.runbook, _("Runbook of %(job)s") % {"job": item.job}))
    return buttons


def _action_buttons(item: Item, may: Callable[[str], bool]) -> list[Button]:
    if item.kind == "held" and item.job is not None:
        return [_resume_button(item.job, may), *_run_buttons(item, may)][:MOST_BUTTONS]
    if item.kind.startswith(ALERT) and item.job is not None:
        words = {"job": item.job}
        return [Button(_("Mute"), mute_url(item.job.pk, may), _("Mute the alerts of %(job)s") % words)]
    if item.kind in ("failing", "lost"):
        return _run_buttons(item, may)
    if item.kind == "schedule_error" and item.job is not None:
        url = admin_url("chroniker_job_change", item.job.pk) if may("change_job") else ""
        return [Button(_("Edit"), url, _("Edit %(job)s") % {"job": item.job})]
    if item.kind == "mails":
        return [Button(_("Messages"), admin_url("chroniker_outbox_changelist") if may("view_outbox") else "")]
    fleet = admin_url("chroniker_host_changelist") if may("view_host") else ""
    if item.kind == "no_worker":
        return [Button(_("Queues"), fleet and f"{fleet}#queues")]
    return [Button(_("How to check"), fleet and f"{fleet}#ticks")] if item.kind == "no_tick" else []


def _resume_button(job: Job, may: Callable[[str], bool]) -> Button:
    url = admin_url("chroniker_job_resume", job.pk) if may("change_job") else ""
    return Button(_("Resume"), url, _("Resume %(job)s") % {"job": job}, posts=True)


def _run_buttons(item: Item, may: Callable[[str], bool]) -> list[Button]:
    if item.run_id is None:
        return []
    again = admin_url("chroniker_run_again", item.run_id) if may("run_job") else ""
    shown = admin_url("chroniker_run_change", item.run_id) if may("view_run") else ""
    words = {"job": item.job}
    return [
        Button(_("Run again"), again, _("Run %(job)s again") % words, posts=True),
        Button(_("Output"), shown and f"{shown}#output", _("Output of %(job)s") % words),
    ]
