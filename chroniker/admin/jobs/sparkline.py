"""The small picture of a job's last runs: a bar for each, as high as its duration. Failed runs are below the line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.translation import gettext as _

from chroniker.insights.latest_runs import LATEST_RUN_COUNT, PastRun, count_succeeded_and_ended
from chroniker.models import OPEN_STATUSES, Status
from chroniker.wording.states import state

BAR_DISTANCE, BAR_WIDTH, BASELINE_Y = 6, 4, 17
MAX_BAR_HEIGHT, FAILED_BAR_HEIGHT = 15, 7
#: The tone of each status, and the statuses whose bars are flat.
TONE_BY_STATUS = {str(status): state(status).tone for status in Status}
FLAT_BAR_STATUSES = (Status.SKIPPED, Status.STOPPED)


class SparklineBar(NamedTuple):  # a page has thousands: a frozen dataclass is three times as slow
    x: int
    y: int
    height: int
    tone: str


@dataclass(frozen=True, slots=True)
class Sparkline:
    bars: list[SparklineBar]
    open_x: int | None  #: where the open run is drawn
    label: str

    @property
    def shapes(self) -> list[tuple[str, str]]:
        """For each tone, one path for all its bars. One element for each bar would make the page much larger."""
        found: dict[str, str] = {}
        for bar in self.bars:
            found[bar.tone] = f"{found.get(bar.tone, '')}M{bar.x} {bar.y}h{BAR_WIDTH}v{bar.height}h-{BAR_WIDTH}z"
        return list(found.items())


def draw_sparkline(runs: Sequence[PastRun]) -> Sparkline | None:
    """The picture; ``None`` without runs."""
    if not runs:
        return None
    closed = [run for run in runs if run.status not in OPEN_STATUSES][-LATEST_RUN_COUNT:]
    longest = max((run.seconds or 0.0 for run in closed if run.status == Status.SUCCEEDED), default=0.0)
    shift = LATEST_RUN_COUNT - len(closed)
    bars = [_make_bar(1 + BAR_DISTANCE * (number + shift), run, longest) for number, run in enumerate(closed)]
    is_open = len(closed) < len(runs)
    good, ended = count_succeeded_and_ended(runs)
    words = {"n": len(closed), "good": good, "bad": ended - good}
    label = _("Latest runs: %(n)d; %(good)d succeeded, %(bad)d failed") % words
    return Sparkline(bars, BAR_DISTANCE * LATEST_RUN_COUNT + 2 if is_open else None, label)


def _make_bar(x: int, run: PastRun, longest_seconds: float) -> SparklineBar:
    tone = TONE_BY_STATUS[run.status]
    if run.status == Status.SUCCEEDED:
        height = 2 + round((MAX_BAR_HEIGHT - 2) * ((run.seconds or 0.0) / longest_seconds)) if longest_seconds else 2
        return SparklineBar(x, BASELINE_Y - height, height, tone)
    if run.status in FLAT_BAR_STATUSES:
        return SparklineBar(x, BASELINE_Y - 2, 2, tone)
    return SparklineBar(x, BASELINE_Y + 1, FAILED_BAR_HEIGHT, tone)
