"""The chart of the durations of a job's latest runs, and the same data as a table."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from chroniker.admin.shared.cells import moment, span
from chroniker.admin.shared.run_cells import status
from chroniker.admin.shared.site_links import admin_url
from chroniker.insights.durations import LOOKED_AT, expected_durations
from chroniker.models import Run, Status

#: Runs in the chart, the latest last.
MOST_BARS = 50
WIDTH, HEIGHT, STEP, BAR = 704, 120, 14, 10
#: Space above the bars for the signs; height of the shortest bar, so that it is visible.
HEADROOM, SHORTEST = 14, 2

#: A sign beside each colour, for people who cannot tell the colours apart.
SIGNS = {
    Status.FAILED: "×",  # noqa: RUF001
    Status.TIMED_OUT: "!",
    Status.STOPPED: "‖",
    Status.LOST: "?",
    Status.RUNNING: "…",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One run. Coordinates are texts, because a template would format numbers for the reader's language."""

    token: int
    url: str
    kind: str
    word: str
    sign: str
    started: str
    took: str
    x: str
    y: str
    height: str
    middle: str
    above: str

    @property
    def title(self) -> str:
        return _("Run %(token)d, %(started)s: %(word)s, %(took)s") % {
            "token": self.token, "started": self.started, "word": self.word, "took": self.took,
        }  # fmt: skip


def durations(job_id: int, last_token: int, now: dt.datetime) -> dict[str, Any]:
    """For the template: the bars, the legend, and the median duration of successful runs. Two statements.

    Covers runs that started, among the same latest runs that ``expected_durations`` covers.
    """
    found = Run.objects.filter(job=job_id, slot="", started_at__isnull=False, token__gt=last_token - LOOKED_AT)
    runs = list(found.order_by("-token")[:MOST_BARS])[::-1]
    lengths = [_length(run, now) for run in runs]
    longest = max(lengths, default=dt.timedelta())
    usual = expected_durations([job_id]).get(job_id) if runs else None
    bars = [_bar(number, run, length, longest) for number, (run, length) in enumerate(zip(runs, lengths, strict=True))]
    return {
        "bars": bars,
        "legend": _legend(bars),
        "longest": span(longest),
        "usual": None if usual is None else span(usual),
        "usual_y": None if usual is None or usual > longest else str(round(_y(usual, longest))),
        "view_box": f"0 0 {WIDTH} {HEIGHT}",
    }


def _length(run: Run, now: dt.datetime) -> dt.timedelta:
    assert run.started_at is not None
    return max((run.finished_at or now) - run.started_at, dt.timedelta())


def _y(length: dt.timedelta, longest: dt.timedelta) -> float:
    share = length / longest if longest else 0.0
    return HEIGHT - max(share * (HEIGHT - HEADROOM), SHORTEST)


def _bar(number: int, run: Run, length: dt.timedelta, longest: dt.timedelta) -> Bar:
    cell, y, x = status(run), _y(length, longest), 2 + number * STEP
    return Bar(
        token=run.token,
        url=admin_url("chroniker_run_change", run.pk),
        kind=cell.kind,
        word=cell.text,
        sign=SIGNS.get(Status(run.status), ""),
        started=moment(run.started_at),
        took=span(length),
        x=str(x),
        y=f"{y:.1f}",
        height=f"{HEIGHT - y:.1f}",
        middle=str(x + BAR // 2),
        above=f"{y - 3:.1f}",
    )


def _legend(bars: list[Bar]) -> list[tuple[str, str, str]]:
    """Each result in the chart once: its colour, its word and its sign."""
    return sorted({(bar.kind, bar.word, bar.sign) for bar in bars}, key=lambda each: (each[2] != "", each[1]))
