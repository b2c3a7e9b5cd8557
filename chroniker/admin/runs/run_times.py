"""The time bar of a run: its moments, and the gaps between them, with their texts."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Any

from django.utils.translation import gettext as _

from chroniker.admin.runs import time_bar
from chroniker.admin.runs.run_sentence import estimate_run_end
from chroniker.insights.run_details import RunDetails
from chroniker.models import OPEN_STATUSES, Run, Status
from chroniker.wording.exit_status import exit_status_in_words
from chroniker.wording.formats import exact_time, short_duration
from chroniker.wording.states import state


def draw_time_bar(details: RunDetails) -> dict[str, Any]:
    """The bar for the template ``times.html``. Empty for a skipped or imported run, because it has only one moment.

    ``start_at``: a narrow page first scrolls to this share of the width. For an open run it is its current part; for an
    ended run it is the start.
    """
    moments = _moments_of_run(details)
    texts = [_bar_part_text(details, begin, end) for begin, end in pairwise(moments)]
    end = _bar_end_label(details, moments[-1]) if moments else ""
    parts = [
        _bar_part_context(part, text)
        for part, text in zip(time_bar.divide_time_into_bar_parts(moments, texts, end), texts, strict=True)
    ]
    if not parts:
        return {}
    shown = [part for part in parts if not part["is_future"]]
    return {
        "parts": parts,
        "end": end,
        "text": ", ".join(part["text"] for part in shown),
        "caption": _total_time_caption(details, parts),
        "width": time_bar.BAR_WIDTH,
        "start_at": f"{shown[-1]['part'].x / time_bar.BAR_WIDTH:.3f}" if details.run.status in OPEN_STATUSES else "0",
    }


def _moments_of_run(details: RunDetails) -> list[time_bar.BarMoment]:
    """The moments in their order. If a moment was not recorded, the gaps before and after it become one gap."""
    run, now = details.run, details.now
    if run.status == Status.SKIPPED:
        return []
    found = []
    if run.scheduled_for is not None and run.scheduled_for <= run.claimed_at:
        found.append(_make_moment(run.scheduled_for, _("%(time)s due"), _("tick delay"), "wait"))
    known = run.taken_at is not None
    found.append(
        _make_moment(
            run.claimed_at,
            _("%(time)s claimed") if not found else _("claimed"),
            *_gap_name_and_tone_after_claim(run, known),
        )
    )
    if run.taken_at is not None:
        found.append(_make_moment(run.taken_at, _("taken"), _("start-up"), "busy"))
    if run.started_at is not None:
        tone = state(run.status).tone
        found.append(_make_moment(run.started_at, _("%(time)s started"), _("running"), tone))
    found += _end_or_future_moments(details, now)
    return found


def _make_moment(time: dt.datetime, label: str, gap: str, tone: str) -> time_bar.BarMoment:
    return time_bar.BarMoment(time, label % {"time": exact_time(time)} if "%(" in label else label, gap, tone)


def _gap_name_and_tone_after_claim(run: Run, taken_is_known: bool) -> tuple[str, str]:
    """The name and the tone of the gap that begins with the claim."""
    if run.status == Status.CLAIMED:
        return _("queue"), "wait"
    return (_("queue") if taken_is_known or run.started_at is None else _("queue and start-up")), "idle"


def _end_or_future_moments(details: RunDetails, now: dt.datetime) -> list[time_bar.BarMoment]:
    run = details.run
    if run.finished_at is not None:
        return [time_bar.BarMoment(run.finished_at, "")]
    found = [time_bar.BarMoment(now, "", "", "idle", is_future=True)]
    if run.status == Status.CLAIMED and details.lease is not None and details.lease.expires_at > now:
        found.append(time_bar.BarMoment(details.lease.expires_at, "", is_future=True))
    elif run.status == Status.RUNNING:
        guess = estimate_run_end(details)
        ends = guess.end_by_progress or guess.end_by_past_runs
        if ends is not None and ends > now:
            found.append(time_bar.BarMoment(ends, "", is_future=True))
    return found


def _bar_part_text(details: RunDetails, begin: time_bar.BarMoment, end: time_bar.BarMoment) -> str:
    """“tick delay 1.1 s”; empty for a part that lies in the future."""
    if begin.is_future:
        return ""
    is_current = details.run.status in OPEN_STATUSES and end.at == details.now
    text = _("%(gap)s %(time)s so far") if is_current else "%(gap)s %(time)s"
    return text % {"gap": begin.gap, "time": short_duration(end.at - begin.at)}


def _bar_part_context(bar_part: time_bar.BarPart, text: str) -> dict[str, Any]:
    words = {"text": text, "from": exact_time(bar_part.begins), "to": exact_time(bar_part.ends)}
    said = _("%(text)s, from %(from)s to %(to)s") % words
    return {"part": bar_part, "text": text, "said": said, "is_future": bar_part.is_future, "label": bar_part.label}


def _bar_end_label(details: RunDetails, last_moment: time_bar.BarMoment) -> str:
    run, words = details.run, {"time": exact_time(last_moment.at), "exit": exit_status_in_words(details.run.exit_code)}
    if run.finished_at is not None:
        return _("%(time)s ended, %(exit)s") % words if words["exit"] else _("%(time)s ended") % words
    if last_moment.at <= details.now:
        return _("%(time)s now") % words
    return _("%(time)s start deadline") % words if run.status == Status.CLAIMED else _("%(time)s expected end") % words


def _total_time_caption(details: RunDetails, parts: list[dict[str, Any]]) -> str:
    run = details.run
    begins = parts[0]["part"].begins
    words = {"time": short_duration((run.finished_at or details.now) - begins)}
    text = _("Total %(time)s.") % words if run.finished_at else _("%(time)s so far.") % words
    if any(part["part"].is_widened for part in parts):
        text += " " + _("Short parts are drawn wider than their real length.")
    return text
