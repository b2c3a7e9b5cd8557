"""Bytes become numbered chunks: unchanged if they can be stored, with a remark if the output is over the limit."""

from __future__ import annotations

import tracemalloc
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroniker.worker.output import (
    MAX_CHUNK_LENGTH,
    REMARK_STREAM,
    STDOUT,
    Chunk,
    ChunkNumbering,
    OutputLimit,
    OutputStream,
    escape_chunk,
    replace_refused_chunk,
)


def stream(limit: int | None = None) -> OutputStream:
    return OutputStream(STDOUT, OutputLimit(limit), ChunkNumbering(REMARK_STREAM))


def written(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks if chunk.stream == STDOUT)


def remarks(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks if chunk.stream == REMARK_STREAM)


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.integers(1, 7))
def test_text_is_unchanged_for_any_split_into_reads(text: str, step: int) -> None:
    data, output = text.encode(), stream()
    chunks: list[Chunk] = []
    for start in range(0, len(data), step):
        chunks += output.feed(data[start : start + step])
        chunks += output.flush()
    assert written(chunks + output.close()) == text


@given(st.text(alphabet="a\n", max_size=30), st.integers(1, 7))
def test_each_chunk_has_the_number_of_the_line_that_it_begins_in(text: str, step: int) -> None:
    output, stored = stream(), ""
    for start in range(0, len(text), step):
        output.feed(text[start : start + step].encode())
        for chunk in output.flush():
            assert chunk.first_line == 1 + stored.count("\n")
            stored += chunk.text
    assert stored == text


@given(st.binary(max_size=200), st.integers(0, 60))
def test_any_bytes_are_accepted_and_no_loss_is_silent(data: bytes, limit: int) -> None:
    output = stream(limit)
    chunks = output.feed(data) + output.close()
    assert "\0" not in written(chunks)
    assert bool(remarks(chunks)) == (len(data) > limit // 4 + max(limit - 2 * (limit // 4), 0))
    written(chunks).encode()


def test_invalid_utf8_becomes_replacement_characters() -> None:
    output = stream()
    assert written(output.feed(b"a\xff\xfeb\xc3") + output.close()) == "a\ufffd\ufffdb\ufffd"


def test_nul_is_made_visible() -> None:
    output = stream()
    assert written(output.feed(b"a\0b") + output.close()) == "a\u2400b"


def test_twenty_megabytes_in_one_line_are_cut_into_numbered_chunks() -> None:
    output = stream()
    chunks = []
    for _ in range(80):
        chunks += output.feed(b"x" * (256 * 1024))
    chunks += output.close()
    assert [chunk.seq for chunk in chunks] == list(range(320))
    assert all(len(chunk.text) == MAX_CHUNK_LENGTH for chunk in chunks)


def test_text_is_flushed_after_at_most_a_second() -> None:
    output = stream()
    waits = [output.next_flush_time]
    assert output.feed(b"hello") == []
    waits.append(output.next_flush_time)
    assert written(output.flush()) == "hello"
    waits.append(output.next_flush_time)
    assert [moment is not None for moment in waits] == [False, True, False]
    assert output.flush() == []


def test_a_partial_character_waits_for_its_remaining_bytes() -> None:
    output = stream()
    output.feed("é".encode()[:1])
    assert output.flush() == []
    output.feed("é".encode()[1:])
    assert written(output.flush()) == "é"


def test_output_over_the_limit_keeps_head_and_tail_and_counts_the_missing_part() -> None:
    output = stream(1000)
    data = b"".join(b"%06d\n" % number for number in range(1000))
    chunks = []
    for start in range(0, len(data), 100):
        chunks += output.feed(data[start : start + 100])
    chunks += output.close()
    text = written(chunks)
    assert text == (data[:500] + data[-250:]).decode()
    assert f"{len(data) - 750} bytes of stdout are missing here" in remarks(chunks)
    assert [chunk.stream for chunk in chunks] == [STDOUT, REMARK_STREAM, STDOUT]


def test_output_within_the_limit_is_stored_completely() -> None:
    output = stream(1000)
    chunks = output.feed(b"x" * 750) + output.close()
    assert written(chunks) == "x" * 750
    assert not remarks(chunks)


def test_both_streams_share_one_limit() -> None:
    allowance = OutputLimit(1000)
    first, second = (OutputStream(number, allowance, ChunkNumbering(REMARK_STREAM)) for number in (1, 2))
    first.feed(b"x" * 5000)
    chunks = second.feed(b"y" * 5000) + second.close()
    assert "".join(chunk.text for chunk in chunks if chunk.stream == 2) == "y" * 250


def test_memory_stays_bounded_under_a_flood_with_a_limit() -> None:
    output = stream(1_000_000_000_000)
    output._allowance._left = 0  # the head is full: all further output goes to the tail
    block = b"z" * (256 * 1024)
    tracemalloc.start()
    try:
        for _ in range(400):
            output.feed(block)
        assert tracemalloc.get_traced_memory()[1] < 2 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert "missing" in remarks(output.close())


def test_times_are_aware_and_in_utc() -> None:
    assert ChunkNumbering(STDOUT).make_chunk("x").written_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", ["héllo 你好 🙂\n", "\x00\x1b[0m", "\u202e"])
def test_an_escaped_chunk_is_plain_ascii_and_keeps_its_number(text: str) -> None:
    chunk = ChunkNumbering(STDOUT).make_chunk(text)
    other = escape_chunk(chunk)
    assert other.text.isascii()
    assert other.text.replace("\n", "").isprintable()
    assert (other.stream, other.seq, other.written_at) == (chunk.stream, chunk.seq, chunk.written_at)


def test_a_withheld_chunk_reports_its_length() -> None:
    assert "5 characters" in replace_refused_chunk(ChunkNumbering(STDOUT).make_chunk("abcde")).text
