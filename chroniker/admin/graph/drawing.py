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
from chroniker.insights.job_nodes import JobNode
from chroniker.models import TriggerOn
from chroniker.wording.formats import coarse_duration, percent, short_duration, short_time
from chroniker.wording.states import state

#: The largest number of Latin letters that fit into one line of a box.
MAX_BOX_TEXT_WIDTH = 24
#: The distance between the box and the mark at the end of an edge.
EDGE_END_GAP = 6
#: Boxes with these tones are filled with colour. Other boxes are not filled, so that only jobs that need
#: attention are coloured.
FILLED_BOX_TONES = ("bad", "busy", "wait")


@dataclass(frozen=True, slots=True)
class JobBox:
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
    def is_filled(self) -> bool:
        return self.tone in FILLED_BOX_TONES

    @property
    def icon_and_text_positions(self) -> dict[str, float]:
        """The positions of the icon and the texts in the box."""
        return {
            "icon_x": self.x + 9,
            "icon_y": self.y + 8,
            "text_x": self.x + 27,
            "name": self.y + 18,
            "text": self.y + 33,
        }


@dataclass(frozen=True, slots=True)
class EdgeCurve:
    path: str
    end: Point
    is_blocking_now: bool
    style: str  #: trigger, success, end, turn or none
    critical: bool


def draw_job_graph(graph: JobGraph, now: dt.datetime) -> dict[str, Any]:
    """The shapes and sizes of the picture, for the template."""
    critical = {edge for path in graph.paths for edge in zip(path.job_ids, path.job_ids[1:], strict=False)}
    on_path = {pk for edge in critical for pk in edge}
    edges = tuple((link.dependee_id, link.dependent_id) for link in graph.links)
    # Two jobs may be linked by a dependency and a trigger.
    plan = place_graph(tuple(graph.nodes), tuple(dict.fromkeys(edges)))
    in_columns = sorted(graph.nodes.values(), key=lambda node: plan.boxes[node.pk])
    curves = [
        _make_edge_curve(link, plan.routes[edge], edge, critical) for link, edge in zip(graph.links, edges, strict=True)
    ]
    return {
        "width": plan.width,
        "height": plan.height,
        "box_width": BOX_WIDTH,
        "box_height": BOX_HEIGHT,
        "boxes": [_make_job_box(node, plan.boxes[node.pk], node.pk in on_path, now) for node in in_columns],
        "curves": sorted(curves, key=lambda curve: curve.is_blocking_now),  # the last ones are drawn on top
        "styles": {curve.style for curve in curves},
        "holds": any(curve.is_blocking_now for curve in curves),
    }


def _make_edge_curve(
    link: GraphLink, points: Sequence[Point], edge: Edge, critical_edges: Collection[Edge]
) -> EdgeCurve:
    *_rest, (x, y) = points
    way = 1 if points[0][0] < x else -1
    end = (x - way * EDGE_END_GAP, y)
    path, style = _svg_path([*points[:-1], end]), link_line_style(link)
    return EdgeCurve(path, end, link.is_blocking_now, style, edge in critical_edges)


def link_line_style(link: GraphLink) -> str:
    """The line style: “trigger”, or the strictest condition of a dependency."""
    if link.trigger_on:
        return "trigger"
    if link.waits_for_success:
        return "success"
    if link.waits_for_end:
        return "end"
    return "turn" if link.waits_for_turn else "none"


def _svg_path(points: Sequence[Point]) -> str:
    """The path through the points. Curves and horizontal lines alternate; the first part is a curve."""
    (x, y), *others = points
    parts = [f"M{_format_coordinate(x)} {_format_coordinate(y)}"]
    for number, (to_x, to_y) in enumerate(others):
        middle_x, end_x, end_y = map(_format_coordinate, ((x + to_x) / 2, to_x, to_y))
        curve = f"C{middle_x} {_format_coordinate(y)} {middle_x} {end_y} {end_x} {end_y}"
        parts.append(f"H{end_x}" if number % 2 or y == to_y else curve)
        x, y = to_x, to_y
    return "".join(parts)


def _format_coordinate(number: float) -> str:
    return f"{number:g}"


def _make_job_box(node: JobNode, position: Point, is_critical: bool, now: dt.datetime) -> JobBox:
    shown = state(node.condition)
    text = " · ".join(filter(None, [str(shown.word), job_state_detail_text(node, now)]))
    return JobBox(
        url=job_url(node.pk),
        label=f"{node.name}: {text}",
        name=shorten_to_box_width(node.name),
        text=shorten_to_box_width(text),
        tone=shown.tone,
        shape=shown.shape,
        x=position[0],
        y=position[1] - BOX_HEIGHT / 2,
        critical=is_critical,
    )


def job_state_detail_text(node: JobNode, now: dt.datetime) -> str:
    """The most useful fact about the job's condition, as a short text."""
    if node.condition == "running" and node.done_and_total_parts is not None:
        return percent(min(node.done_and_total_parts), node.done_and_total_parts[1])
    if node.since is not None and node.condition == "running":
        return short_duration(now - node.since)
    if node.since is not None:
        return coarse_duration(now - node.since)
    if node.condition == "retrying":
        return short_time(node.retry_at, now)
    if node.condition == "succeeded":
        return short_duration(node.last_success_seconds) if node.last_success_seconds is not None else ""
    if node.failures:
        return ngettext("once", "%(n)d in a row", node.failures) % {"n": node.failures}
    return short_time(node.next_run, now) if node.next_run is not None else ""


def shorten_to_box_width(text: str) -> str:
    """Cut the text to the width of ``MAX_BOX_TEXT_WIDTH`` Latin letters. East Asian letters are twice as wide."""
    used = 0
    for number, letter in enumerate(text):
        used += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if used > MAX_BOX_TEXT_WIDTH and number < len(text):
            return text[: max(number - 1, 1)].rstrip() + "…"
    return text


def link_rule_in_words(link: GraphLink) -> str:
    """What must happen to the dependee before the dependent may start. For a trigger: which end starts it."""
    if link.trigger_on:
        starts = {
            TriggerOn.SUCCEEDED: _("on success, starts"),
            TriggerOn.FAILED: _("on failure, starts"),
            TriggerOn.ENDED: _("at its end, starts"),
        }
        return starts[TriggerOn(link.trigger_on)]
    words = {
        "success": _("must succeed before"),
        "end": _("must end before"),
        "turn": _("must have run up to the same scheduled time before"),
        "none": _("is a dependency, without a condition, of"),
    }
    return words[link_line_style(link)]


def link_table_rows(graph: JobGraph) -> Iterable[dict[str, Any]]:
    """The rows of the table below the picture: first the links that hold a job back. Each part is in picture order."""
    order = {pk: number for number, pk in enumerate(graph.nodes)}
    in_picture_order = sorted(graph.links, key=lambda link: (order[link.dependee_id], order[link.dependent_id]))
    for link in sorted(in_picture_order, key=lambda link: not link.is_blocking_now):
        low, high = graph.nodes[link.dependee_id], graph.nodes[link.dependent_id]
        yield {
            "job": low.name,
            "url": job_url(low.pk),
            "rule": link_rule_in_words(link),
            "also_turn": link.waits_for_turn and link_line_style(link) != "turn",
            "dependent": high.name,
            "dependent_url": job_url(high.pk),
            "holds": link.is_blocking_now,
        }
