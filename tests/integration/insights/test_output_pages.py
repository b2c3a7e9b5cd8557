"""The output is read in pages of bounded size, from either end, in the order in which it was written."""

from __future__ import annotations

import datetime as dt
import random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker.clock.database_clock import database_now
from chroniker.insights.output import pages as output_pages
from chroniker.insights.output.pages import (
    Cursor,
    Page,
    fetch_last_page,
    fetch_page_after,
    fetch_page_before,
    iterate_pages,
)
from chroniker.models import LogChunk, Run
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy")]
SECOND = dt.timedelta(seconds=1)


def a_run_with(streams: list[int], *, length: int = 10) -> tuple[Run, list[str]]:
    """A run that wrote to these streams in turn, and the texts in order."""
    run, began = run_now(a_booked_job(), requested_by="a test"), database_now()
    counts = [0, 0, 0]
    rows = []
    for number, stream in enumerate(streams):
        text = f"{number}".ljust(length, ".")
        moment = began + number * SECOND
        rows.append(LogChunk(run=run, stream=stream, seq=counts[stream], text=text, written_at=moment))
        counts[stream] += 1
    LogChunk.objects.bulk_create(rows)
    return run, [row.text for row in rows]


def read(*found: Page) -> list[str]:
    return [piece.text for page in found for piece in page.pieces]


@pytest.fixture(params=range(5))
def mixed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Run, list[str]]:
    """Streams that alternate, or of which one is silent for long. Pages are small, so there are many."""
    chance = random.Random(request.param)
    monkeypatch.setattr(output_pages, "MAX_PAGE_CHARACTERS", chance.choice([1, 25, 1000]))
    monkeypatch.setattr(output_pages, "MAX_CHUNKS_PER_STREAM", chance.choice([1, 3, 50]))
    weights = chance.choice([[1, 1, 1], [0, 50, 1], [1, 0, 30]])
    return a_run_with(chance.choices([0, 1, 2], weights, k=120))


def test_forwards_every_piece_comes_once_and_in_order(mixed: tuple[Run, list[str]]) -> None:
    run, written = mixed
    assert read(*iterate_pages(run.pk)) == written


def test_backwards_every_piece_comes_once_and_in_order(mixed: tuple[Run, list[str]]) -> None:
    run, written = mixed
    found = [fetch_last_page(run.pk)]
    while found[0].more_before:
        found.insert(0, fetch_page_before(run.pk, found[0].before))
    assert read(*found) == written
    assert fetch_page_before(run.pk, found[0].before).pieces == []


def test_what_is_written_after_the_last_page_follows_it(mixed: tuple[Run, list[str]]) -> None:
    run, written = mixed
    end = fetch_last_page(run.pk)
    assert fetch_page_after(run.pk, end.after).pieces == []
    for stream in (0, 1, 2):
        top = LogChunk.objects.filter(run=run, stream=stream).count()
        LogChunk.objects.create(run=run, stream=stream, seq=top, text="new", written_at=database_now() + 500 * SECOND)
    found, page = [], fetch_page_after(run.pk, end.after)
    while page.pieces:
        found += read(page)
        page = fetch_page_after(run.pk, page.after)
    assert found == ["new"] * 3
    assert len(written) == 120


def test_a_stream_keeps_its_own_order_when_the_worker_s_clock_is_set_back() -> None:
    run, _texts = a_run_with([])
    began = database_now()
    for seq, late in enumerate([10, 5, 7]):
        LogChunk.objects.create(run=run, stream=1, seq=seq, text=str(seq), written_at=began + late * SECOND)
    assert read(*iterate_pages(run.pk)) == read(fetch_last_page(run.pk)) == ["0", "1", "2"]


def test_a_page_costs_its_own_size_for_any_length_of_output() -> None:
    run, _written = a_run_with([1] * 2000, length=2000)
    with CaptureQueriesContext(connection) as queries:
        page = fetch_last_page(run.pk)
    assert sum(len(piece.text) for piece in page.pieces) <= output_pages.MAX_PAGE_CHARACTERS
    assert len(queries) == 5  # ends, lengths, texts; and two for the beginning of a line, since no line ends
    assert page.more_before


def test_one_piece_larger_than_a_page_is_a_page_of_its_own() -> None:
    run, written = a_run_with([1, 1], length=output_pages.MAX_PAGE_CHARACTERS + 1)
    assert [read(page) for page in iterate_pages(run.pk)] == [[text] for text in written]


def test_lost_chunks_are_counted() -> None:
    run, _written = a_run_with([1] * 10)
    LogChunk.objects.filter(run=run, seq__in=[0, 4, 5]).delete()
    (page,) = iterate_pages(run.pk)
    assert {piece.seq: piece.lost_chunk_count for piece in page.pieces if piece.lost_chunk_count} == {1: 1, 6: 2}
    last = fetch_last_page(run.pk).pieces
    assert {piece.seq: piece.lost_chunk_count for piece in last if piece.lost_chunk_count} == {6: 2}


def test_a_cursor_parses_its_own_text() -> None:
    cursor = Cursor(-1, 12, 3)
    assert Cursor.parse(str(cursor)) == cursor
