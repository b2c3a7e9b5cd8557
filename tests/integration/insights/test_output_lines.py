"""Lines have the same numbers from wherever they are read."""

from __future__ import annotations

import datetime as dt
import itertools
import random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker.clock.database_clock import database_now
from chroniker.insights.output import pages, search, views
from chroniker.insights.output.lines import Line
from chroniker.insights.output.pages import Cursor
from chroniker.insights.output.views import OutputPlace, OutputView
from chroniker.models import LogChunk, Run, Stream
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy")]
START = OutputPlace(Cursor())


def a_run_that_wrote(*texts: tuple[Stream, str], numbered: bool = True) -> Run:
    """A run with one chunk for each text. ``numbered=False``: as imported, without line numbers."""
    run, began = run_now(a_booked_job(), requested_by="a test"), database_now()
    ends, counts = dict.fromkeys(Stream, 0), dict.fromkeys(Stream, 0)
    rows = []
    for at, (stream, text) in enumerate(texts):
        first = ends[stream] + 1 if numbered else None
        moment = began + dt.timedelta(seconds=at)
        rows.append(
            LogChunk(run=run, stream=stream, seq=counts[stream], text=text, written_at=moment, first_line=first)
        )
        ends[stream] += text.count("\n")
        counts[stream] += 1
    LogChunk.objects.bulk_create(rows)
    return run


def shown(view: OutputView) -> list[tuple[int, str]]:
    return [(line.number, line.text) for line in view.lines]


def forwards(run: Run, limit: int) -> list[tuple[int, str]]:
    view, found = views.fetch_first_view(run.pk, limit), []
    while view.lines:
        found += shown(view)
        if not view.more_after:
            break
        view = views.fetch_view_after(run.pk, view.after, limit)
    return found


def backwards(run: Run, limit: int) -> list[tuple[int, str]]:
    view = views.fetch_last_view(run.pk, limit)
    found = shown(view)
    while view.more_before:
        view = views.fetch_view_before(run.pk, view.before, limit)
        found = shown(view) + found
    return found


@pytest.fixture(params=itertools.product(range(4), [True, False]), ids=str)
def mixed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Run, list[str], int]:
    """Chunks that begin and end within lines, in several streams; pages and views are small."""
    seed, numbered = request.param
    chance = random.Random(seed)
    monkeypatch.setattr(pages, "MAX_PAGE_CHARACTERS", chance.choice([1, 25, 1000]))
    monkeypatch.setattr(pages, "MAX_CHUNKS_PER_STREAM", chance.choice([2, 3, 50]))
    monkeypatch.setattr(views, "MAX_PAGES_WITHOUT_LINE_END", 1000)
    texts = []
    for number in range(50):
        words = chance.choices(["a", "bc\n", "\n", f"{number}", "x\ny\n"], k=chance.randint(1, 4))
        texts.append((chance.choices(list(Stream), [1, 30, 8])[0], "".join(words)))
    texts += [(stream, "\n") for stream in Stream]
    return a_run_that_wrote(*texts, numbered=numbered), _merged(texts), chance.choice([2, 7, 1000])


def _merged(texts: list[tuple[Stream, str]]) -> list[str]:
    """The lines of all streams, in the order in which they end."""
    begun, found = dict.fromkeys(Stream, ""), []
    for stream, text in texts:
        *ended, begun[stream] = (begun[stream] + text).split("\n")
        found += ended
    return found


def test_every_line_comes_once_with_its_number(mixed: tuple[Run, list[str], int]) -> None:
    run, expected, limit = mixed
    numbers = [number for number, _text in forwards(run, limit)]
    assert numbers == list(range(1, len(expected) + 1))
    assert [number for number, _text in backwards(run, limit)] == numbers
    assert [number for number, _text in shown(views.fetch_last_view(run.pk, 3))] == numbers[-3:][-limit:] or limit


def test_a_line_is_complete_if_it_began_in_the_chunk_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MAX_PAGE_CHARACTERS", 1)
    run = a_run_that_wrote((Stream.STDOUT, "one\ntw"), (Stream.STDERR, "oops\n"), (Stream.STDOUT, "o\nthree\n"))
    expected = [(1, "one"), (2, "oops"), (3, "two"), (4, "three")]
    assert forwards(run, 1000) == backwards(run, 1000) == expected


def test_a_view_at_a_number_holds_that_line(mixed: tuple[Run, list[str], int], monkeypatch: pytest.MonkeyPatch) -> None:
    run, expected, _limit = mixed
    monkeypatch.setattr(views, "LINES_BEFORE_TARGET", 5)
    for number in (1, len(expected) // 2, len(expected)):
        found = views.fetch_view_of_line(run.pk, number, 10)
        assert number in [line.number for line in found.lines]
    assert len(expected) in [line.number for line in views.fetch_view_of_line(run.pk, 10**9, 10).lines]


def test_a_place_beyond_its_page_is_found_on_a_later_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MAX_PAGE_CHARACTERS", 1)  # one chunk on a page
    run = a_run_that_wrote(*[(Stream.STDOUT, f"{n}\n") for n in range(1, 7)])
    assert shown(views.fetch_view_after(run.pk, OutputPlace(Cursor(), 3))) == [(4, "4")]
    assert shown(views.fetch_view_before(run.pk, OutputPlace(Cursor(), 3))) == [(3, "3")]


def test_an_open_line_comes_last_and_is_marked() -> None:
    run = a_run_that_wrote((Stream.STDOUT, "one\nhalf"), (Stream.STDERR, "oops\n"))
    view = views.fetch_last_view(run.pk)
    assert shown(view) == [(1, "one"), (2, "oops"), (3, "half")]
    assert [line.is_open for line in view.lines] == [False, False, True]
    LogChunk.objects.create(
        run=run,
        stream=Stream.STDOUT,
        seq=1,
        text=" full\n",
        written_at=database_now() + dt.timedelta(hours=1),
        first_line=2,
    )
    assert shown(views.fetch_view_after(run.pk, view.after)) == [(3, "half full")]


def test_lost_chunks_are_marked_and_their_lines_keep_their_numbers() -> None:
    run = a_run_that_wrote(*[(Stream.STDOUT, f"{n}a\n{n}b\n") for n in range(4)])
    LogChunk.objects.filter(run=run, seq__in=[1, 2]).delete()
    found = views.fetch_first_view(run.pk).lines
    assert [(line.number, line.text, line.lost_chunk_count) for line in found] == [
        (1, "0a", 0), (2, "0b", 0), (7, "3a", 2), (8, "3b", 0),
    ]  # fmt: skip
    assert views.fetch_view_of_line(run.pk, 7).lines[-1].number == 8


def test_the_first_error_is_the_first_line_on_standard_error() -> None:
    run = a_run_that_wrote((Stream.STDOUT, "one\ntwo\n"), (Stream.STDERR, "oops\n"), (Stream.STDOUT, "three\n"))
    assert views.find_first_stderr_line_number(run.pk) == 3
    assert views.find_first_stderr_line_number(a_run_that_wrote((Stream.STDOUT, "fine\n")).pk) is None


def test_the_search_ignores_case_and_colours_and_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MAX_PAGE_CHARACTERS", 1)
    monkeypatch.setattr(search, "MAX_LINES_READ", 1)
    run = a_run_that_wrote(
        (Stream.STDOUT, "a NEE\x1b[1mdle\x1b[0m\nhay\n"), (Stream.STDERR, "straw\nneed"), (Stream.STDERR, "le\n")
    )
    found: list[int] = []
    steps, cursor = 0, Cursor()
    while True:
        answer = search.search_lines(run.pk, "Needle", cursor)
        found, steps = found + answer.numbers, steps + 1
        if answer.next is None:
            break
        cursor = answer.next
    assert (found, steps) == ([1, 4], 3)


def test_a_line_in_many_chunks_is_complete_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_run_that_wrote((Stream.STDOUT, "start\n"), *[(Stream.STDOUT, f"{n} ") for n in range(30)])
    view = views.fetch_view_after(run.pk, OutputPlace(Cursor(stdout=20)))
    expected = "".join(f"{n} " for n in range(30))
    assert [(line.number, line.text, line.is_cut) for line in view.lines] == [(2, expected, False)]
    monkeypatch.setattr(pages, "MAX_BEGINNING_CHARACTERS", 10)
    (line,) = views.fetch_view_after(run.pk, OutputPlace(Cursor(stdout=20))).lines
    assert line.is_cut and expected.endswith(line.text) and len(line.text) < len(expected)


def test_a_very_long_line_is_marked_as_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MAX_PAGE_CHARACTERS", 10)
    monkeypatch.setattr(pages, "MAX_BEGINNING_CHARACTERS", 10)
    run = a_run_that_wrote((Stream.STDOUT, "start\n"), *[(Stream.STDOUT, "x" * 10)] * 5, (Stream.STDOUT, "\nend\n"))
    found = forwards_lines(run)
    assert [(line.number, line.is_cut) for line in found] == [(1, False), (2, True), (3, False)]
    assert set(found[1].text) == {"x"}


def forwards_lines(run: Run) -> list[Line]:
    view, found = views.fetch_first_view(run.pk), []
    while True:
        found += view.lines
        if not view.more_after:
            return found
        view = views.fetch_view_after(run.pk, view.after)


def test_no_output_is_an_empty_view() -> None:
    run = a_run_that_wrote()
    assert not any(
        (
            views.fetch_last_view(run.pk).lines,
            views.fetch_first_view(run.pk).lines,
            views.fetch_view_of_line(run.pk, 5).lines,
        )
    )
    assert search.search_lines(run.pk, "x", Cursor()).next is None


def test_a_place_parses_its_own_text() -> None:
    for place in (START, OutputPlace(Cursor(-1, 12, 3), 40)):
        assert OutputPlace.parse(str(place)) == place


def test_a_view_costs_the_same_statements_for_any_length() -> None:
    def statements(chunks: int) -> tuple[int, int, int]:
        run = a_run_that_wrote(*[(Stream.STDOUT, "x\n" * 100)] * chunks)
        counts = []
        for read in (
            views.fetch_last_view,
            views.fetch_first_view,
            lambda pk: views.fetch_view_of_line(pk, chunks * 50),
        ):
            with CaptureQueriesContext(connection) as queries:
                read(run.pk)
            counts.append(len(queries))
        return counts[0], counts[1], counts[2]

    assert statements(3) == statements(700) == (3, 3, 5)
