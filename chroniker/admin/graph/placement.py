"""Compute the coordinates of a layered graph: boxes in columns, and edges between them. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import median

from chroniker.admin.graph.layering import Edge, GraphLayers, LayerItem, assign_layers, find_connected_components

BOX_WIDTH, BOX_HEIGHT = 172, 42
#: The distance between the left edges of two columns. An edge changes its height only between columns.
COLUMN_DISTANCE = 232
MARGIN, ROW_GAP, EDGE_GAP, COMPONENT_GAP = 8, 18, 12, 26
#: The largest distance between the ends of two edges at one box.
MAX_EDGE_END_SPACING = 9
#: The number of passes over all layers, forwards and backwards in turn. A pass moves each item to the median height of
#: its neighbours. The last pass goes forwards, so that a box with one dependency has the height of that dependency.
PLACEMENT_PASSES = 5

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class GraphPlacement:
    """``boxes``: the middle of the left side of each box. ``routes``: the points of each edge, two for each column.

    The edge is a curve between two columns, and a horizontal line through a column.
    """

    width: int
    height: int
    boxes: Mapping[int, Point]
    routes: Mapping[Edge, Sequence[Point]]
    reversed_edges: frozenset[Edge]


@lru_cache(maxsize=64)
def place_graph(nodes: tuple[int, ...], edges: tuple[Edge, ...]) -> GraphPlacement:
    """Place each connected part below the one before it. Equal arguments give an equal result."""
    boxes: dict[int, Point] = {}
    routes: dict[Edge, Sequence[Point]] = {}
    backward: frozenset[Edge] = frozenset()
    bottom = right = 0.0
    for members in find_connected_components(nodes, edges):
        inside = set(members)
        layers = assign_layers(members, [edge for edge in edges if edge[0] in inside])
        heights = _compute_item_y_positions(layers)
        top = (
            bottom + (COMPONENT_GAP if bottom else MARGIN) - min(heights[item] - _half_height(item) for item in heights)
        )
        column = {item: number for number, layer in enumerate(layers.order) for item in layer}
        place = {
            item: (MARGIN + column[item] * COLUMN_DISTANCE, round(top + height, 1)) for item, height in heights.items()
        }
        boxes |= {node: place[node] for node in members}
        routes |= {edge: _route_edge(chain, place, layers) for edge, chain in layers.chains.items()}
        backward |= layers.reversed_edges
        bottom = max(place[item][1] + _half_height(item) for item in place)
        right = max(right, MARGIN + (len(layers.order) - 1) * COLUMN_DISTANCE + BOX_WIDTH)
    return GraphPlacement(round(right + MARGIN), round(bottom + MARGIN), boxes, routes, backward)


def _half_height(item: LayerItem) -> float:
    return BOX_HEIGHT / 2 if isinstance(item, int) else 0.0


def _min_distance_between_items(upper: LayerItem, lower: LayerItem) -> float:
    """The smallest distance between the middles of two items of a layer."""
    gap = ROW_GAP if isinstance(upper, int) and isinstance(lower, int) else EDGE_GAP
    return _half_height(upper) + gap + _half_height(lower)


def _compute_item_y_positions(layers: GraphLayers) -> dict[LayerItem, float]:
    """The y of the middle of each item. Each layer keeps its order and the smallest distances between its items."""
    height: dict[LayerItem, float] = {}
    for layer in layers.order:
        height |= dict(zip(layer, _space_items_apart(layer, [0.0] * len(layer)), strict=True))
    for number in range(PLACEMENT_PASSES):
        near = layers.neighbours_after if number % 2 else layers.neighbours_before
        for layer in reversed(layers.order) if number % 2 else layers.order:
            wanted = [median(height[other] for other in near.get(item, [item])) for item in layer]
            height |= dict(zip(layer, _space_items_apart(layer, wanted), strict=True))
    return height


def _space_items_apart(layer: Sequence[LayerItem], wanted_heights: Sequence[float]) -> list[float]:
    """The heights that keep order and smallest distances, and are nearest to the wanted heights (least squares).

    Items that would be too close form a block. The block is placed at the mean of the wanted heights of its items.
    """
    offsets = [0.0]
    for upper, lower in itertools.pairwise(layer):
        offsets.append(offsets[-1] + _min_distance_between_items(upper, lower))
    blocks: list[tuple[float, int]] = []
    for offset, height in zip(offsets, wanted_heights, strict=False):
        total, count = height - offset, 1
        while blocks and blocks[-1][0] / blocks[-1][1] >= total / count:
            more, members = blocks.pop()
            total, count = total + more, count + members
        blocks.append((total, count))
    starts = [total / count for total, count in blocks for _ in range(count)]
    return [start + offset for start, offset in zip(starts, offsets, strict=False)]


def _route_edge(chain: Sequence[LayerItem], positions: Mapping[LayerItem, Point], layers: GraphLayers) -> list[Point]:
    source, target = positions[chain[0]], positions[chain[-1]]
    back = source[0] > target[0]  # an edge that closes a cycle leaves on the left and arrives on the right
    points = [(source[0] + (0 if back else BOX_WIDTH), source[1])]
    for item in chain[1:-1]:
        left, height = positions[item]
        sides = [(left, height), (left + BOX_WIDTH, height)]
        points += sides[::-1] if back else sides
    height = target[1] + _edge_end_y_offset(chain, positions, layers)
    return [*points, (target[0] + (BOX_WIDTH if back else 0), height)]


def _edge_end_y_offset(chain: Sequence[LayerItem], positions: Mapping[LayerItem, Point], layers: GraphLayers) -> float:
    """The distance from the middle of the target's side to the end of the edge. Edges to one box end side by side."""
    near = (layers.neighbours_after if positions[chain[0]][0] > positions[chain[-1]][0] else layers.neighbours_before)[
        chain[-1]
    ]
    ordered = sorted(set(near), key=lambda item: positions[item][1])
    if len(ordered) == 1:
        return 0.0
    step = min(MAX_EDGE_END_SPACING, (BOX_HEIGHT - 14) / (len(ordered) - 1))
    return round((ordered.index(chain[-2]) - (len(ordered) - 1) / 2) * step, 1)
