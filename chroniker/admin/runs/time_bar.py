"""The bar of a run's time: a part for each gap between two moments, to scale if its text has room. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest

#: The width of the picture, and the space between two parts, in pixels.
BAR_WIDTH, PART_GAP = 1000, 3
#: The least width of a part, and the width of one character of its text, in pixels.
MIN_PART_WIDTH, CHARACTER_WIDTH = 104, 6.2


@dataclass(frozen=True, slots=True)
class BarMoment:
    """``label``: the text above the bar at this moment. ``gap``: the name of the part that begins at this moment."""

    at: dt.datetime
    label: str
    gap: str = ""
    tone: str = "idle"
    is_future: bool = False  #: not reached yet


@dataclass(frozen=True, slots=True)
class BarPart:
    """A part of the bar. ``is_widened``: the part is drawn wider than its share of the time."""

    label: str
    gap: str
    tone: str
    begins: dt.datetime
    ends: dt.datetime
    x: int
    width: int
    is_future: bool
    is_widened: bool

    @property
    def length(self) -> dt.timedelta:
        return self.ends - self.begins

    @property
    def text_x(self) -> int:
        return self.x + 8


def divide_time_into_bar_parts(
    moments: Sequence[BarMoment], texts: Sequence[str] = (), end_label: str = ""
) -> list[BarPart]:
    """The parts between the given moments, which must be in order. Together they are as wide as the picture.

    ``texts``: the text within each part. ``end_label``: the label above the end of the last part. Each part is wide
    enough for its text and its labels, if all of them fit into the picture.
    """
    gaps = list(pairwise(moments))
    lengths = [max((end.at - begin.at).total_seconds(), 0.0) for begin, end in gaps]
    labels = [begin.label for begin, _end in gaps]
    labels[-1:] = [f"{label} {end_label}" for label in labels[-1:]]
    characters = [max(map(len, pair)) for pair in zip_longest(labels, texts, fillvalue="")]
    least = [max(MIN_PART_WIDTH, round(20 + CHARACTER_WIDTH * number)) for number in characters]
    widths = divide_width(lengths, BAR_WIDTH, least)
    scale = BAR_WIDTH / (sum(lengths) or 1.0)
    found, x = [], 0
    for (begin, end), length, width in zip(gaps, lengths, widths, strict=True):
        is_widened = width > round(length * scale) + 1
        is_future = begin.is_future and end.is_future
        size = (x, width - PART_GAP)
        found.append(BarPart(begin.label, begin.gap, begin.tone, begin.at, end.at, *size, is_future, is_widened))
        x += width
    return found


def divide_width(lengths: Sequence[float], width: int, least_widths: Sequence[int]) -> list[int]:
    """Divide ``width`` in proportion to ``lengths``. A part that would be too narrow gets its least width.

    The other parts then share the remaining width. If the sum of the least widths is more than ``width``, each least
    width is reduced in proportion.
    """
    if sum(least_widths) > width:
        least_widths = [each * width // sum(least_widths) for each in least_widths]
    found, free = list(least_widths), set(range(len(lengths)))
    while free:
        total = sum(lengths[at] for at in free)
        room = width - sum(found[at] for at in range(len(found)) if at not in free)
        narrow = {at for at in free if lengths[at] * room <= least_widths[at] * total}
        if not narrow:
            break
        free -= narrow
    for at in free:
        found[at] = int(room * lengths[at] / total)
    if found:
        found[found.index(max(found))] += width - sum(found)
    return found
