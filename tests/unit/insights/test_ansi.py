"""Escape sequences become classes or nothing, for any text."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroniker.insights.output.ansi import PLAIN_STYLE, Style, style_after, styled_segments, visible_text

#: Text with many escape sequences, complete and broken ones, and all kinds of control characters.
PIECES = st.one_of(
    st.sampled_from(
        ["\x1b", "[", "]", "m", ";", ":", "\r", "\t", "\b", "\x9b", "\x07", "\x1b\\", "\x1b[2K", "\x1b[1;3"]
    ),
    st.builds(
        "\x1b[{}m".format, st.lists(st.integers(0, 300), max_size=6).map(lambda codes: ";".join(map(str, codes)))
    ),
    st.text(max_size=5),
)
LINES = st.lists(PIECES, max_size=20).map("".join).map(lambda text: text.replace("\n", ""))
CLASSES = re.compile(r"a(1|2|4|3[0-7]|9[0-7]|4[0-7]|10[0-7])")


@given(LINES)
def test_the_segments_are_the_visible_text(line: str) -> None:
    found, _style = styled_segments(line)
    assert "".join(text for _classes, text in found) == visible_text(line)
    assert all(text for _classes, text in found)
    assert all(first[0] != second[0] for first, second in itertools.pairwise(found))


@given(LINES)
def test_nothing_invisible_is_left(line: str) -> None:
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", visible_text(line))
    assert visible_text(visible_text(line)) == visible_text(line)


@given(LINES)
def test_classes_are_known(line: str) -> None:
    for classes, _text in styled_segments(line)[0]:
        assert all(CLASSES.fullmatch(name) for name in classes.split())


@given(LINES, LINES)
def test_the_style_goes_on_in_the_next_line(first: str, second: str) -> None:
    assert styled_segments(second, styled_segments(first)[1])[1] == style_after(second, style_after(first))


@given(st.text(st.characters(exclude_categories=["Cc"])))
def test_text_without_escapes_is_kept(text: str) -> None:
    assert styled_segments(text) == ([("", text)] if text else [], PLAIN_STYLE)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("\x1b[1;31mError\x1b[0m: x", [("a1 a31", "Error"), ("", ": x")]),
        ("\x1b[31ma\x1b[39mb\x1b[41mc\x1b[49md", [("a31", "a"), ("", "b"), ("a41", "c"), ("", "d")]),
        ("\x1b[97;104mx\x1b[m", [("a97 a104", "x")]),
        ("\x1b[2;4mx\x1b[22my\x1b[24mz", [("a2 a4", "x"), ("a4", "y"), ("", "z")]),
        ("\x1b[38;5;196mred\x1b[38;5;21mblue\x1b[38;5;244mgrey", [("a91", "red"), ("a34", "blue"), ("a90", "grey")]),
        ("\x1b[38;2;0;250;0mx\x1b[48:5:1my", [("a92", "x"), ("a92 a41", "y")]),
        ("\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x07", [("", "link")]),
        ("a\x1b[2Kb\x1b(Bc\x1b7d\x08e", [("", "abcde")]),
        ("10 %\r20 %\r30 %\r", [("", "30 %")]),
        ("\x1b[32mold\rnew", [("a32", "new")]),
    ],
)
def test_lines_of_real_commands(line: str, expected: list[tuple[str, str]]) -> None:
    assert styled_segments(line)[0] == expected


def test_a_broken_extended_colour_changes_nothing() -> None:
    for parameters in ("38", "38;5", "38;2;1;2", "48;7;1"):
        assert style_after(f"\x1b[{parameters}m", Style(bold=True)) == Style(bold=True)
