"""The graph as shapes for the template of the picture: boxes with two lines of text, and edges."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker.admin.graph.layering import Edge
from chroniker.admin.graph.placement import BOX_HEIGHT, BOX_WIDTH, Point, place_graph
from chroniker.admin.shared.site_links import job_url
from chroniker.insights.job_graph import GraphLink, JobGraph
from chroniker.insights.job_nodes import Node
from chroniker.models import TriggerOn
from chroniker.wording.formats import coarse_duration, percent, short_duration, short_time
from chroniker.wording.states import state

#: Letters of a name that fit into a box, in the width of Latin letters.
NAME_LETTERS = 24
#: An edge's mark ends this far before the box.
TIP = 6
#: Tones whose boxes are filled; the others are plain, so that only what needs attention is coloured.
FILLED = ("bad", "busy", "wait")


@dataclass(frozen=True, slots=True)
class Box:
    url: str
    label: str  #: for screen readers: the full name, and the state
    name: str
    text: str
    tone: str
    shape: str
    x: float
    y: float
    critical: bool

    @property
    def filled(self) -> bool:
        return self.tone in FILLED

    @property
    def places(self) -> dict[str, float]:
        """Where the parts of the box are."""
        return {
            "icon_x": self.x + 9,
            "icon_y": self.y + 8,
            "text_x": self.x + 27,
            "name": self.y + 18,
            "text": self.y + 33,
        }


@dataclass(frozen=True, slots=True)
class Curve:
    path: str
    end: Point
    holds: bool
    style: str  #: trigger, success, end, turn or none
    critical: bool


def draw(graph: JobGraph, now: dt.datetime) -> dict[str, Any]:
    """For the template."""
    critical = {edge for path in graph.paths for edge in zip(path.jobs, path.jobs[1:], strict=False)}
    on_path = {pk for edge in critical for pk in edge}
    edges = tuple((link.dependee, link.dependent) for link in graph.links)
    plan = place_graph(tuple(graph.nodes), tuple(dict.fromkeys(edges)))  # a job may wait for one that starts it
    in_columns = sorted(graph.nodes.values(), key=lambda node: plan.boxes[node.pk])
    curves = [_curve(link, plan.routes[edge], edge, critical) for link, edge in zip(graph.links, edges, strict=True)]
    return {
        "width": plan.width,
        "height": plan.height,
        "box_width": BOX_WIDTH,
        "box_height": BOX_HEIGHT,
        "boxes": [_box(node, plan.boxes[node.pk], node.pk in on_path, now) for node in in_columns],
        "curves": sorted(curves, key=lambda curve: curve.holds),  # on top of the others
        "styles": {curve.style for curve in curves},
        "holds": any(curve.holds for curve in curves),
    }


def _curve(link: GraphLink, points: Sequence[Point], edge: Edge, critical: Collection[Edge]) -> Curve:
    *_rest, (x, y) = points
    way = 1 if points[0][0] < x else -1
    end = (x - way * TIP, y)
    return Curve(_svg_path([*points[:-1], end]), end, link.holds, line_style(link), edge in critical)


def line_style(link: GraphLink) -> str:
    """A trigger, or the strictest condition of a dependency."""
    if link.on:
        return "trigger"
    return "success" if link.success else "end" if link.end else "turn" if link.turn else "none"


def _svg_path(points: Sequence[Point]) -> str:
    """A curve from each even point to the next, and a level line from each odd one."""
    (x, y), *others = points
    parts = [f"M{_number_text(x)} {_number_text(y)}"]
    for number, (to_x, to_y) in enumerate(others):
        middle = _number_text((x + to_x) / 2)
        curve = f"C{middle} {_number_text(y)} {middle} {_number_text(to_y)} {_number_text(to_x)} {_number_text(to_y)}"
        parts.append(f"H{_number_text(to_x)}" if number % 2 or y == to_y else curve)
        x, y = to_x, to_y
    return "".join(parts)


def _number_text(number: float) -> str:
    return f"{number:g}"


def _box(node: Node, place: Point, critical: bool, now: dt.datetime) -> Box:
    shown = state(node.condition)
    text = " · ".join(filter(None, [str(shown.word), detail(node, now)]))
    return Box(
        url=job_url(node.pk),
        label=f"{node.name}: {text}",
        name=shorten_name(node.name),
        text=shorten_name(text),
        tone=shown.tone,
        shape=shown.shape,
        x=place[0],
        y=place[1] - BOX_HEIGHT / 2,
        critical=critical,
    )


def detail(node: Node, now: dt.datetime) -> str:
    """The most useful fact about its condition, in a few letters."""
    if node.condition == "running" and node.parts is not None:
        return percent(min(node.parts), node.parts[1])
    if node.since is not None and node.condition == "running":
        return short_duration(now - node.since)
    if node.since is not None:
        return coarse_duration(now - node.since)
    if node.condition == "retrying":
        return short_time(node.retry_at, now)
    if node.condition == "succeeded":
        return short_duration(node.seconds) if node.seconds is not None else ""
    if node.failures:
        return ngettext("once", "%(n)d in a row", node.failures) % {"n": node.failures}
    return short_time(node.next_run, now) if node.next_run is not None else ""


def shorten_name(text: str) -> str:
    """The text cut to the width of ``NAME_LETTERS`` Latin letters. East Asian letters have twice the width."""
    used = 0
    for number, letter in enumerate(text):
        used += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if used > NAME_LETTERS and number < len(text):
            return text[: max(number - 1, 1)].rstrip() + "…"
    return text


def rule_text(link: GraphLink) -> str:
    """What must become of the dependee before the dependent may start, or when it starts it."""
    if link.on:
        starts = {
            TriggerOn.SUCCEEDED: _("after its success starts"),
            TriggerOn.FAILED: _("after its failure starts"),
            TriggerOn.ENDED: _("after its end starts"),
        }
        return starts[TriggerOn(link.on)]
    words = {
        "success": _("must succeed before"),
        "end": _("must end before"),
        "turn": _("must have run up to the same time before"),
        "none": _("is named, without a condition, by"),
    }
    return words[line_style(link)]


def table_rows(graph: JobGraph) -> Iterable[dict[str, Any]]:
    """The rows below the picture, in the order of the picture."""
    order = {pk: number for number, pk in enumerate(graph.nodes)}
    for link in sorted(graph.links, key=lambda link: (not link.holds, order[link.dependee], order[link.dependent])):
        low, high = graph.nodes[link.dependee], graph.nodes[link.dependent]
        yield {
            "job": low.name,
            "url": job_url(low.pk),
            "rule": rule_text(link),
            "also_turn": link.turn and line_style(link) != "turn",
            "dependent": high.name,
            "dependent_url": job_url(high.pk),
            "holds": link.holds,
        }
