from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker.clock.database_clock import database_now
from chroniker.models import LogChunk, Stream
from chroniker.outbox import output_tail as module
from chroniker.outbox.output_tail import last_lines, read_tail
from chroniker.scheduler.manual_runs import run_now
from tests.support.ended_runs import a_job_with_subscribers


def a_run_that_wrote(texts: Sequence[str]) -> UUID:
    run = run_now(a_job_with_subscribers(), requested_by="a test")
    now = database_now()
    LogChunk.objects.bulk_create(
        LogChunk(run=run, stream=Stream.STDOUT, seq=seq, text=text, written_at=now) for seq, text in enumerate(texts)
    )
    return run.pk


@pytest.mark.parametrize(
    ("texts", "most", "expected"),
    [
        ([], 5, ""),
        (["abc"], 5, "abc"),
        (["abc", "def"], 5, "bcdef"),
        (["abc", "def", "ghi"], 3, "ghi"),
        (["abc", "def", "ghi"], 4, "fghi"),
        (["abc", "", "ghi"], 9, "abcghi"),
        (["ä" * 10, "日本語"], 4, "ä日本語"),
    ],
)
def test_the_last_characters_of_a_stream_are_returned(texts: list[str], most: int, expected: str) -> None:
    assert read_tail(a_run_that_wrote(texts), Stream.STDOUT, most) == expected


def test_output_of_another_stream_is_not_returned() -> None:
    assert read_tail(a_run_that_wrote(["abc"]), Stream.STDERR, 5) == ""


def test_reading_the_tail_needs_two_statements_for_any_output() -> None:
    run_id = a_run_that_wrote([f"line {n}\n" for n in range(3000)])
    with CaptureQueriesContext(connection) as queries:
        assert read_tail(run_id, Stream.STDOUT, 100).endswith("line 2999\n")
    assert len(queries) == 2


def test_the_newest_chunks_are_read_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CHUNKS", 3)
    assert read_tail(a_run_that_wrote(list("abcdef")), Stream.STDOUT, 100) == "def"


def test_the_last_lines_are_returned() -> None:
    assert last_lines("a\nb\nc\n\n", 2) == "b\nc"
    assert last_lines("", 2) == ""
