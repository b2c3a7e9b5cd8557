"""Divide a directed graph into layers by longest paths, and order each layer so that few edges cross. Pure."""

from __future__ import annotations

import itertools
from bisect import bisect, insort
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

Edge = tuple[int, int]
#: A place in a layer: a node, or the point (source, target, layer) at which an edge passes through the layer.
LayerItem = int | tuple[int, int, int]
#: Each round orders the layers forwards and then backwards. The ordering with the fewest crossings is kept.
LAYER_ORDERING_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class GraphLayers:
    """The layers, each with its items in order.

    ``neighbours_before``, ``neighbours_after``: for each item, its neighbours in the layer before it or after it.
    """

    order: list[list[LayerItem]]
    neighbours_before: Mapping[LayerItem, Sequence[LayerItem]]
    neighbours_after: Mapping[LayerItem, Sequence[LayerItem]]
    #: For each edge: its source, the items that it passes through, and its target.
    chains: Mapping[Edge, Sequence[LayerItem]]
    reversed_edges: frozenset[Edge]  #: edges that close a cycle: placed as if they led in the other direction


def find_connected_components(nodes: Sequence[int], edges: Collection[Edge]) -> list[list[int]]:
    """The connected parts of the graph, in the order of their first nodes. Each part keeps the order of ``nodes``."""
    near: dict[int, list[int]] = {node: [] for node in nodes}
    for source, target in edges:
        near[source].append(target)
        near[target].append(source)
    part_of: dict[int, int] = {}
    for start in nodes:
        waiting = [] if start in part_of else [start]
        while waiting:
            node = waiting.pop()
            if node not in part_of:
                part_of[node] = start
                waiting += near[node]
    parts: dict[int, list[int]] = {}
    for node in nodes:
        parts.setdefault(part_of[node], []).append(node)
    return list(parts.values())


def assign_layers(nodes: Sequence[int], edges: Sequence[Edge]) -> GraphLayers:
    """Assign each node the length of the longest path to it, and order the layers."""
    backward = find_cycle_closing_edges(nodes, edges)
    forward = {edge: edge[::-1] if edge in backward else edge for edge in edges}
    layer_of = compute_longest_path_lengths(nodes, list(forward.values()))
    order: list[list[LayerItem]] = [[] for _ in range(max(layer_of.values(), default=-1) + 1)]
    for node in nodes:
        order[layer_of[node]].append(node)
    chains: dict[Edge, list[LayerItem]] = {}
    before: dict[LayerItem, list[LayerItem]] = {}
    after: dict[LayerItem, list[LayerItem]] = {}
    for edge, (low, high) in forward.items():
        passed: list[LayerItem] = [(*edge, layer) for layer in range(layer_of[low] + 1, layer_of[high])]
        for item, layer in zip(passed, range(layer_of[low] + 1, layer_of[high]), strict=True):
            order[layer].append(item)
        chain = [low, *passed, high]
        for one, other in itertools.pairwise(chain):
            after.setdefault(one, []).append(other)
            before.setdefault(other, []).append(one)
        chains[edge] = chain[::-1] if edge in backward else chain
    return GraphLayers(_reduce_crossings(order, before, after), before, after, chains, frozenset(backward))


def find_cycle_closing_edges(nodes: Sequence[int], edges: Sequence[Edge]) -> set[Edge]:
    """The edges that lead back to a node on the path of a depth-first search. Without them the graph has no cycle."""
    out: dict[int, list[int]] = {node: [] for node in nodes}
    for source, target in edges:
        out[source].append(target)
    closing: set[Edge] = set()
    seen: set[int] = set()
    for start in nodes:
        path: dict[int, Iterator[int]] = {} if start in seen else {start: iter(out[start])}
        while path:
            node = next(reversed(path))
            seen.add(node)
            for target in path[node]:  # an iterator: the loop continues after the last target that was read
                if target in path:
                    closing.add((node, target))
                elif target not in seen:
                    path[target] = iter(out[target])
                    break
            else:
                del path[node]
    return closing


def compute_longest_path_lengths(nodes: Sequence[int], edges: Sequence[Edge]) -> dict[int, int]:
    """The number of edges of the longest path to each node of a graph without cycles."""
    out: dict[int, list[int]] = {node: [] for node in nodes}
    missing = dict.fromkeys(nodes, 0)
    for source, target in edges:
        out[source].append(target)
        missing[target] += 1
    length = dict.fromkeys(nodes, 0)
    ready = [node for node in nodes if not missing[node]]
    for node in ready:  # the loop appends to this list
        for target in out[node]:
            length[target] = max(length[target], length[node] + 1)
            missing[target] -= 1
            if not missing[target]:
                ready.append(target)
    return length


def _reduce_crossings(
    order: list[list[LayerItem]],
    neighbours_before: Mapping[LayerItem, Sequence[LayerItem]],
    neighbours_after: Mapping[LayerItem, Sequence[LayerItem]],
) -> list[list[LayerItem]]:
    """Sort each layer by the mean positions of neighbours. Keep the given order if no new order has fewer crossings."""
    best, fewest = order, count_crossings(order, neighbours_after)
    for _ in range(LAYER_ORDERING_ROUNDS):
        forwards = _sort_by_neighbours(order, neighbours_before)
        order = _sort_by_neighbours(forwards[::-1], neighbours_after)[::-1]
        for each in (forwards, order):
            if (count := count_crossings(each, neighbours_after)) < fewest:
                best, fewest = each, count
    return best


def _sort_by_neighbours(
    order: Sequence[Sequence[LayerItem]], neighbours: Mapping[LayerItem, Sequence[LayerItem]]
) -> list[list[LayerItem]]:
    """Sort each layer after the first by the mean position of each item's neighbours in the layer sorted before it."""
    swept: list[list[LayerItem]] = [list(layer) for layer in order[:1]]
    for layer in order[1:]:
        position = {item: number for number, item in enumerate(swept[-1])}
        # An item without neighbours stays where it is, relative to the others.
        scale = len(position) / max(len(layer), 1)
        key = {item: (number + 0.5) * scale - 0.5 for number, item in enumerate(layer)}
        for item in layer:
            if others := neighbours.get(item):
                key[item] = sum(position[other] for other in others) / len(others)
        swept.append(sorted(layer, key=key.__getitem__))
    return swept


def count_crossings(
    order: Sequence[Sequence[LayerItem]], neighbours_after: Mapping[LayerItem, Sequence[LayerItem]]
) -> int:
    """The number of pairs of edges that cross between neighbouring layers."""
    total = 0
    for layer, following in itertools.pairwise(order):
        position = {item: number for number, item in enumerate(following)}
        passed: list[int] = []
        for item in layer:
            ends = [position[other] for other in neighbours_after.get(item, ())]
            total += sum(len(passed) - bisect(passed, end) for end in ends)
            for end in ends:
                insort(passed, end)
    return total
