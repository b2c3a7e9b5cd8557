"""The pictures of the reliability page: bars of start delays, and of failed runs by day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.dateformat import format as format_date
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from chroniker.insights.guarantees import DayRunCounts, StartDelays
from chroniker.wording.formats import format_count, percent

#: The label and the tone of each bucket of start delays in ``RunHour``.
DELAY_BUCKET_LABELS = (
    (gettext_lazy("< 0.5 s"), "good"),
    (gettext_lazy("0.5–1 s"), "good"),  # noqa: RUF001  a dash
    (gettext_lazy("1–2 s"), "good"),  # noqa: RUF001
    (gettext_lazy("2–5 s"), "good"),  # noqa: RUF001
    (gettext_lazy("5–30 s"), "wait"),  # noqa: RUF001
    (gettext_lazy("30 s–5 min"), "wait"),  # noqa: RUF001
    (gettext_lazy("> 5 min"), "bad"),
)
MAX_BAR_WIDTH, ROW_HEIGHT = 220, 22
PICTURE_WIDTH, PICTURE_HEIGHT = 384, 70
#: Shares of failed runs from which on a bar is red or amber. A line is drawn at the first one.
RED_FAILED_SHARE, AMBER_FAILED_SHARE = 0.05, 0.01


def draw_delay_bars(delays: StartDelays) -> list[dict[str, Any]]:
    most = max(delays.buckets, default=0) or 1
    bars = []
    for number, ((label, tone), runs) in enumerate(zip(DELAY_BUCKET_LABELS, delays.buckets, strict=True)):
        width = max(round(MAX_BAR_WIDTH * runs / most), 2) if runs else 0
        bars.append(
            {"label": label, "tone": tone, "width": width, "runs": format_count(runs), "y": 2 + ROW_HEIGHT * number,
             "text_y": 14 + ROW_HEIGHT * number, "text_x": 88 + width}
        )  # fmt: skip
    return bars


def draw_failure_bars(days: Sequence[DayRunCounts]) -> dict[str, Any]:
    """One bar for each day. The scale ends at the largest share, but not below ``RED_FAILED_SHARE``."""
    step = PICTURE_WIDTH / max(len(days), 1)
    shares = [day.bad / day.runs if day.runs else 0.0 for day in days]
    top = max([*shares, RED_FAILED_SHARE])
    bars = []
    for number, (day, share) in enumerate(zip(days, shares, strict=True)):
        height = max(round(PICTURE_HEIGHT * share / top), 2) if day.bad else 0
        bars.append(
            {"x": round(step * number, 1), "inner": round(step * number + 1, 1), "step": round(step, 1),
             "width": round(step - 2, 1), "y": PICTURE_HEIGHT + 6 - height, "height": height,
             "tone": _failed_share_tone(share), "say": _failed_share_text(day)}
        )  # fmt: skip
    runs, bad = sum(day.runs for day in days), sum(day.bad for day in days)
    return {
        "bars": bars,
        "upper": round(PICTURE_HEIGHT + 6 - PICTURE_HEIGHT * RED_FAILED_SHARE / top, 1),
        "share": percent(bad, runs) if runs else "",
        "runs": format_count(runs),
        "first": _date_text(days[0]) if days else "",
        "middle": _date_text(days[len(days) // 2]) if days else "",
    }


def _failed_share_tone(failed_share: float) -> str:
    return "bad" if failed_share > RED_FAILED_SHARE else "wait" if failed_share > AMBER_FAILED_SHARE else "idle"


def _date_text(day: DayRunCounts) -> str:
    # Translators: a date as in “10 Dec”, in the letters of Django's date format.
    return format_date(day.day, pgettext("date format", "j M"))


def _failed_share_text(day: DayRunCounts) -> str:
    words = {
        "day": format_date(day.day, "D") + " " + _date_text(day),
        "share": percent(day.bad, day.runs),
        "runs": day.runs,
    }
    return _("%(day)s: %(share)s failed (runs: %(runs)d)") % words if day.runs else _("%(day)s: no runs") % words
