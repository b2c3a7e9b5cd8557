"""Layers of a directed graph: by longest path, each layer ordered so that few edges cross. Pure."""

from __future__ import annotations

import itertools
from bisect import bisect, insort
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

Edge = tuple[int, int]
#: A place in a layer: a node, or the point (source, target, layer) at which an edge passes through the layer.
Slot = int | tuple[int, int, int]
#: Each round orders the layers forwards and then backwards. The ordering with the fewest crossings is kept.
ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Layers:
    """An ordered layering. The neighbours of a slot are in the layers directly before and after it."""

    order: list[list[Slot]]
    before: Mapping[Slot, Sequence[Slot]]
    after: Mapping[Slot, Sequence[Slot]]
    chains: Mapping[Edge, Sequence[Slot]]  #: by edge: its source, the slots it passes through, its target
    reversed: frozenset[Edge]  #: edges that would close a cycle: laid out as if they led the other way


def components(nodes: Sequence[int], edges: Collection[Edge]) -> list[list[int]]:
    """The connected parts, each in the order of ``nodes``; the part with the first node comes first."""
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


def assign_layers(nodes: Sequence[int], edges: Sequence[Edge]) -> Layers:
    """Assign each node the length of the longest path to it, and order the layers."""
    backward = closing_edges(nodes, edges)
    forward = {edge: edge[::-1] if edge in backward else edge for edge in edges}
    layer_of = longest_paths(nodes, list(forward.values()))
    order: list[list[Slot]] = [[] for _ in range(max(layer_of.values(), default=-1) + 1)]
    for node in nodes:
        order[layer_of[node]].append(node)
    chains: dict[Edge, list[Slot]] = {}
    before: dict[Slot, list[Slot]] = {}
    after: dict[Slot, list[Slot]] = {}
    for edge, (low, high) in forward.items():
        passed: list[Slot] = [(*edge, layer) for layer in range(layer_of[low] + 1, layer_of[high])]
        for slot, layer in zip(passed, range(layer_of[low] + 1, layer_of[high]), strict=True):
            order[layer].append(slot)
        chain = [low, *passed, high]
        for one, other in itertools.pairwise(chain):
            after.setdefault(one, []).append(other)
            before.setdefault(other, []).append(one)
        chains[edge] = chain[::-1] if edge in backward else chain
    return Layers(_reduce_crossings(order, before, after), before, after, chains, frozenset(backward))


def closing_edges(nodes: Sequence[int], edges: Sequence[Edge]) -> set[Edge]:
    """Edges without which the graph has no cycle: those that lead back into the path of a depth-first search."""
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
            for target in path[node]:  # goes on where it was left
                if target in path:
                    closing.add((node, target))
                elif target not in seen:
                    path[target] = iter(out[target])
                    break
            else:
                del path[node]
    return closing


def longest_paths(nodes: Sequence[int], edges: Sequence[Edge]) -> dict[int, int]:
    """The number of edges of the longest path to each node of a graph without cycles."""
    out: dict[int, list[int]] = {node: [] for node in nodes}
    missing = dict.fromkeys(nodes, 0)
    for source, target in edges:
        out[source].append(target)
        missing[target] += 1
    length = dict.fromkeys(nodes, 0)
    ready = [node for node in nodes if not missing[node]]
    for node in ready:  # grows while it is read
        for target in out[node]:
            length[target] = max(length[target], length[node] + 1)
            missing[target] -= 1
            if not missing[target]:
                ready.append(target)
    return length


def _reduce_crossings(
    order: list[list[Slot]], before: Mapping[Slot, Sequence[Slot]], after: Mapping[Slot, Sequence[Slot]]
) -> list[list[Slot]]:
    """Sort each layer by the barycentre of its neighbours. The given ordering is kept if none has fewer crossings."""
    best, fewest = order, count_crossings(order, after)
    for _ in range(ROUNDS):
        forwards = _sweep(order, before)
        order = _sweep(forwards[::-1], after)[::-1]
        for each in (forwards, order):
            if (count := count_crossings(each, after)) < fewest:
                best, fewest = each, count
    return best


def _sweep(order: Sequence[Sequence[Slot]], near: Mapping[Slot, Sequence[Slot]]) -> list[list[Slot]]:
    """Sort each layer but the first by the mean position of the neighbours in the layer that was sorted before it."""
    swept: list[list[Slot]] = [list(layer) for layer in order[:1]]
    for layer in order[1:]:
        position = {slot: number for number, slot in enumerate(swept[-1])}
        scale = len(position) / max(
            len(layer), 1
        )  # a slot without neighbours stays where it is, relative to the others
        key = {slot: (number + 0.5) * scale - 0.5 for number, slot in enumerate(layer)}
        for slot in layer:
            if others := near.get(slot):
                key[slot] = sum(position[other] for other in others) / len(others)
        swept.append(sorted(layer, key=key.__getitem__))
    return swept


def count_crossings(order: Sequence[Sequence[Slot]], after: Mapping[Slot, Sequence[Slot]]) -> int:
    """The number of pairs of edges that cross between neighbouring layers."""
    total = 0
    for layer, following in itertools.pairwise(order):
        position = {slot: number for number, slot in enumerate(following)}
        passed: list[int] = []
        for slot in layer:
            ends = [position[other] for other in after.get(slot, ())]
            total += sum(len(passed) - bisect(passed, end) for end in ends)
            for end in ends:
                insort(passed, end)
    return total
