"""The states that pages show: for each code its word, its tone (colour) and its shape.

A state is never shown by its colour alone: the word and the shape carry the same meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


@dataclass(frozen=True, slots=True)
class State:
    """``tone``: good, bad, busy, wait or idle. ``shape``: the id of a symbol in ``sprite.html``, without ``s-``."""

    word: Any
    tone: str
    shape: str

    @property
    def is_animated(self) -> bool:
        """Whether its shape is animated."""
        return self.shape == "run"


#: By code: the value of a run's status in small letters, or a condition of a job, worker, queue or message.
STATES_BY_CODE: dict[str, State] = {
    "succeeded": State(_("Succeeded"), "good", "ok"),
    "ok": State(_("OK"), "good", "ok"),
    "alive": State(_("Alive"), "good", "ok"),
    "held": State(_("Held"), "good", "ok"),
    "sent": State(_("Sent"), "good", "ok"),
    "failed": State(_("Failed"), "bad", "fail"),
    "failing": State(_("Failing"), "bad", "fail"),
    "broken": State(_("Broken"), "bad", "fail"),
    "given_up": State(_("Given up"), "bad", "fail"),
    "timed_out": State(_("Timed out"), "bad", "time"),
    "overdue": State(_("Overdue"), "bad", "late"),
    "no_worker": State(_("No worker"), "bad", "late"),
    "late": State(_("Late"), "bad", "late"),
    "slow": State(_("Slow"), "bad", "time"),
    "missed": State(_("Missed"), "bad", "skip"),
    "lost": State(_("Lost"), "bad", "lost"),
    "silent": State(_("Silent"), "bad", "lost"),
    "schedule_error": State(_("Schedule error"), "bad", "aside"),
    "on_hold": State(pgettext_lazy("a job after a failure", "Held"), "bad", "pause"),
    "queued": State(_("Queued"), "wait", "queue"),
    "waiting": State(_("Waiting"), "wait", "wait"),
    "retrying": State(_("Retrying"), "wait", "wait"),
    "full": State(pgettext_lazy("all slots are in use", "Full"), "wait", "late"),
    "warning": State(_("Warning"), "wait", "late"),
    "unknown": State(_("Unknown"), "wait", "late"),
    "suspended": State(_("Suspended"), "wait", "pause"),
    "draining": State(_("Draining"), "wait", "pause"),
    "paused": State(_("Paused"), "wait", "pause"),
    "stopped": State(_("Stopped"), "wait", "stop"),
    "stopping": State(_("Stopping"), "wait", "stop"),
    "running": State(_("Running"), "busy", "run"),
    "scheduled": State(_("Scheduled"), "idle", "idle"),
    "due": State(_("Due"), "idle", "idle"),
    "manual": State(_("Manual"), "idle", "idle"),
    "no_record": State(_("No record"), "idle", "idle"),
    "ended": State(_("Ended"), "idle", "idle"),
    "skipped": State(_("Skipped"), "idle", "skip"),
    "merged": State(_("Merged"), "idle", "skip"),
    "disabled": State(_("Disabled"), "idle", "off"),
}
#: Codes that mean the same as another one.
STATE_ALIASES = {"claimed": "queued", "idle": "scheduled", "new": "scheduled", "over": "ended"}
#: The state of a level of ``Health``.
STATE_CODES_BY_HEALTH_LEVEL = {"good": "ok", "warn": "warning", "bad": "broken", "unknown": "unknown"}


def state(code: str) -> State:
    """The state of a code, in any case; “Unknown” for an unknown code, because no page may fail for this reason."""
    name = str(code).lower().replace("-", "_")
    return STATES_BY_CODE.get(STATE_ALIASES.get(name, name), STATES_BY_CODE["unknown"])
