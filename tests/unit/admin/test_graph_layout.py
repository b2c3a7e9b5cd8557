"""The layout of the graph, for random graphs: with cycles, parts that are not connected, and long edges."""

from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from chroniker.admin.graph.layering import (
    Edge,
    assign_layers,
    compute_longest_path_lengths,
    count_crossings,
    find_connected_components,
    find_cycle_closing_edges,
)
from chroniker.admin.graph.placement import BOX_HEIGHT, BOX_WIDTH, COLUMN_DISTANCE, MARGIN, GraphPlacement, place_graph

NODES = tuple(range(12))
ANY_EDGE = st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)).filter(lambda edge: edge[0] != edge[1])
ANY_EDGES = st.lists(ANY_EDGE, unique=True, max_size=24).map(tuple)
WITHOUT_CYCLES = ANY_EDGES.map(lambda edges: tuple(dict.fromkeys((min(edge), max(edge)) for edge in edges)))


def column(drawn: GraphPlacement, node: int) -> float:
    return (drawn.boxes[node][0] - MARGIN) / COLUMN_DISTANCE


@given(ANY_EDGES)
def test_each_node_has_a_box_and_no_boxes_overlap(edges: tuple[Edge, ...]) -> None:
    drawn = place_graph(NODES, edges)
    assert drawn.boxes.keys() == set(NODES) and drawn.routes.keys() == set(edges)
    for (x, y), (other_x, other_y) in combinations(drawn.boxes.values(), 2):
        assert x != other_x or abs(y - other_y) > BOX_HEIGHT
    for x, y in drawn.boxes.values():
        assert 0 <= x <= drawn.width - BOX_WIDTH and y - BOX_HEIGHT / 2 >= 0 and y + BOX_HEIGHT / 2 <= drawn.height


@given(ANY_EDGES)
def test_edges_lead_to_the_right_unless_they_close_a_cycle(edges: tuple[Edge, ...]) -> None:
    drawn = place_graph(NODES, edges)
    for source, target in edges:
        assert (column(drawn, source) > column(drawn, target)) == ((source, target) in drawn.reversed_edges)


@given(ANY_EDGES)
def test_no_edge_passes_through_a_box(edges: tuple[Edge, ...]) -> None:
    drawn = place_graph(NODES, edges)
    for route in drawn.routes.values():
        passing = route[1:-1]
        for (x, y), (other_x, other_y) in zip(passing[::2], passing[1::2], strict=True):
            assert y == other_y and abs(x - other_x) == BOX_WIDTH
            in_column = [middle for left, middle in drawn.boxes.values() if left == min(x, other_x)]
            assert all(abs(y - middle) > BOX_HEIGHT / 2 for middle in in_column)


@given(ANY_EDGES)
def test_an_edge_begins_and_ends_at_its_boxes(edges: tuple[Edge, ...]) -> None:
    drawn = place_graph(NODES, edges)
    for (source, target), route in drawn.routes.items():
        sides = (0, BOX_WIDTH) if (source, target) in drawn.reversed_edges else (BOX_WIDTH, 0)
        for node, side, (x, y) in zip((source, target), sides, (route[0], route[-1]), strict=True):
            assert x == drawn.boxes[node][0] + side and abs(y - drawn.boxes[node][1]) < BOX_HEIGHT / 2


@given(WITHOUT_CYCLES)
def test_the_column_is_the_longest_path(edges: tuple[Edge, ...]) -> None:
    drawn = place_graph(NODES, edges)
    assert not drawn.reversed_edges
    for node in NODES:
        assert column(drawn, node) == max((column(drawn, low) + 1 for low, high in edges if high == node), default=0)


@given(ANY_EDGES)
def test_without_the_closing_edges_there_is_no_cycle(edges: tuple[Edge, ...]) -> None:
    closing = find_cycle_closing_edges(NODES, edges)
    left = [edge for edge in edges if edge not in closing]
    length = compute_longest_path_lengths(NODES, left)
    assert all(length[source] < length[target] for source, target in left)


@given(ANY_EDGES)
def test_the_ordering_never_crosses_more_edges_than_the_given_order(edges: tuple[Edge, ...]) -> None:
    found = assign_layers(NODES, edges)
    given_order = [
        sorted(layer, key=lambda slot: (1, edges.index(slot[:2])) if isinstance(slot, tuple) else (0, slot))
        for layer in found.order
    ]
    assert count_crossings(found.order, found.neighbours_after) <= count_crossings(given_order, found.neighbours_after)


@given(ANY_EDGES)
def test_crossings_are_counted_as_by_comparing_all_pairs(edges: tuple[Edge, ...]) -> None:
    found = assign_layers(NODES, edges)
    expected = 0
    for layer, following in pairwise(found.order):
        ends = [
            (a, following.index(other))
            for a, slot in enumerate(layer)
            for other in found.neighbours_after.get(slot, ())
        ]
        expected += sum((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(ends, 2))
    assert count_crossings(found.order, found.neighbours_after) == expected


@given(ANY_EDGES)
def test_parts_are_drawn_below_each_other(edges: tuple[Edge, ...]) -> None:
    drawn = place_graph(NODES, edges)
    bottom = 0.0
    for members in find_connected_components(NODES, edges):
        heights = [drawn.boxes[node][1] for node in members]
        assert bottom < min(heights) - BOX_HEIGHT / 2
        bottom = max(heights) + BOX_HEIGHT / 2


def test_a_chain_is_drawn_on_one_level_and_equal_input_gives_an_equal_picture() -> None:
    edges = tuple((node, node + 1) for node in range(4))
    drawn = place_graph(NODES[:5], edges)
    assert len({y for _x, y in drawn.boxes.values()}) == 1
    place_graph.cache_clear()
    assert place_graph(NODES[:5], edges) == drawn
