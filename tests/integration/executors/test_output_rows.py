"""Rows of output are stored as they are, and refused as by an INSERT: by COPY on PostgreSQL."""

from __future__ import annotations

import threading

import pytest
from django.db import DatabaseError, DataError, IntegrityError, connection, connections, transaction
from django.utils import timezone

from chroniker.executors import output_rows
from chroniker.executors.statement_limit import limit_statement_time
from chroniker.models import Job, LogChunk, Run, Status

pytestmark = pytest.mark.django_db(transaction=True)

HARD = ["a\tb\\n\\N\n", "\\.\n", "'\"$$;--\r\n", "héllo 你好 🙂", "\\", " "]


@pytest.fixture
def run() -> Run:
    now = timezone.now()
    job = Job.objects.create(name="J", command="noop", cron="0 0 1 1 *")
    return Run.objects.create(job=job, token=1, claimed_at=now, finished_at=now, status=Status.SUCCEEDED)


def rows_of(run: Run, *texts: str) -> list[LogChunk]:
    now = timezone.now()
    return [
        LogChunk(run_id=run.pk, stream=1, seq=seq, first_line=seq + 1, text=text, written_at=now)
        for seq, text in enumerate(texts)
    ]


def insert(rows: list[LogChunk]) -> None:
    with transaction.atomic():
        output_rows.insert_output_rows(rows)


def test_each_column_is_stored_as_given(run: Run) -> None:
    rows = rows_of(run, *HARD)
    insert(rows)
    columns = ("run_id", "stream", "seq", "first_line", "text", "written_at")
    stored = LogChunk.objects.order_by("seq").values_list(*columns)
    assert list(stored) == [tuple(getattr(row, name) for name in columns) for row in rows]


def test_rows_that_are_stored_already_are_refused_as_a_whole(run: Run) -> None:
    insert(rows_of(run, "first"))
    with pytest.raises(IntegrityError):
        insert(rows_of(run, "first", "second"))
    assert LogChunk.objects.count() == 1
    connection.ensure_connection()


@pytest.mark.parametrize("text", ["\0", "\ud800"], ids=["NUL", "half of a character"])
def test_text_that_the_database_cannot_hold_is_refused_by_an_error_of_data(run: Run, text: str) -> None:
    if connection.vendor != "postgresql":  # the others store NUL, or refuse both by errors of their own
        return
    with pytest.raises((DataError, ValueError)):
        insert(rows_of(run, "fine", text))
    assert not LogChunk.objects.exists()


def test_an_insert_that_waits_ends_at_its_limit(run: Run) -> None:
    if connection.vendor != "postgresql":
        return
    locked, done = threading.Event(), threading.Event()

    def lock() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {LogChunk._meta.db_table}")
            locked.set()
            done.wait(60)
        connections.close_all()

    other = threading.Thread(target=lock)
    other.start()
    try:
        assert locked.wait(30)
        with pytest.raises(DatabaseError), limit_statement_time("default", 0.3), transaction.atomic():
            Run.objects.filter(pk=run.pk).exists()  # as before each insert: it takes the limit along
            output_rows.insert_output_rows(rows_of(run, "x"))
    finally:
        done.set()
        other.join()
    assert not LogChunk.objects.exists()
