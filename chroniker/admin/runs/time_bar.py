"""The bar of a run's time: named gaps between its moments, to scale where that leaves room for a text. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest

#: The width of the picture and of the space between parts, in pixels.
WIDTH, GAP = 1000, 3
#: The least width of a part, and what one character of a text in it needs.
LEAST, CHARACTER = 104, 6.2


@dataclass(frozen=True, slots=True)
class Moment:
    """``label`` stands above the bar. ``gap``: the name of the part that begins here, with room for ``text``."""

    at: dt.datetime
    label: str
    gap: str = ""
    tone: str = "idle"
    is_future: bool = False  #: not reached yet


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the bar. ``is_widened``: it is drawn wider than it is."""

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


def parts(moments: Sequence[Moment], texts: Sequence[str] = (), end_label: str = "") -> list[Part]:
    """The parts between the moments, which are in their order. Together they are as wide as the picture.

    ``texts``: the text within each part. ``end_label``: the label above the end of the last part. A part has room for
    its text and its labels, as long as all fit.
    """
    gaps = list(pairwise(moments))
    lengths = [max((end.at - begin.at).total_seconds(), 0.0) for begin, end in gaps]
    labels = [begin.label for begin, _end in gaps]
    labels[-1:] = [f"{label} {end_label}" for label in labels[-1:]]
    characters = [max(map(len, pair)) for pair in zip_longest(labels, texts, fillvalue="")]
    least = [max(LEAST, round(20 + CHARACTER * number)) for number in characters]
    widths = divide_width(lengths, WIDTH, least)
    scale = WIDTH / (sum(lengths) or 1.0)
    found, x = [], 0
    for (begin, end), length, width in zip(gaps, lengths, widths, strict=True):
        is_widened = width > round(length * scale) + 1
        is_future = begin.is_future and end.is_future
        size = (x, width - GAP)
        found.append(Part(begin.label, begin.gap, begin.tone, begin.at, end.at, *size, is_future, is_widened))
        x += width
    return found


def divide_width(lengths: Sequence[float], width: int, least: Sequence[int]) -> list[int]:
    """Divide ``width`` by these lengths, each with its least width: what that costs is taken from the others.

    If the least widths need more than there is, they are cut in proportion.
    """
    if sum(least) > width:
        least = [each * width // sum(least) for each in least]
    found, free = list(least), set(range(len(lengths)))
    while free:
        total = sum(lengths[at] for at in free)
        room = width - sum(found[at] for at in range(len(found)) if at not in free)
        narrow = {at for at in free if lengths[at] * room <= least[at] * total}
        if not narrow:
            break
        free -= narrow
    for at in free:
        found[at] = int(room * lengths[at] / total)
    if found:
        found[found.index(max(found))] += width - sum(found)
    return found
