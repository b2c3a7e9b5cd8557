"""Pending output is returned in order, in batches of limited size, and counted."""

from __future__ import annotations

from chroniker.worker.output import MAX_BATCH_LENGTH, STDOUT, Chunk, ChunkNumbering, OutputQueue


def filled(*texts: str) -> OutputQueue:
    numbering, backlog = ChunkNumbering(STDOUT), OutputQueue()
    backlog.put([numbering.make_chunk(text) for text in texts])
    return backlog


def texts(chunks: list[Chunk]) -> list[str]:
    return [chunk.text for chunk in chunks]


def test_the_size_of_a_batch_is_limited() -> None:
    backlog = filled(*["x" * 65536] * 20)
    assert sum(map(len, texts(backlog.next_batch()))) == MAX_BATCH_LENGTH == 16 * 65536


def test_a_batch_holds_at_least_one_chunk() -> None:
    assert len(filled("x" * (2 * MAX_BATCH_LENGTH), "y").next_batch()) == 1


def test_chunks_that_were_not_stored_are_returned_again_with_the_same_numbers() -> None:
    backlog = filled("a", "b")
    assert backlog.next_batch() == backlog.next_batch()
    backlog.on_stored(backlog.next_batch())
    assert not backlog
    assert backlog.size == 0


def test_after_a_failure_the_next_batch_is_smaller_and_grows_with_each_success() -> None:
    backlog = filled(*["x" * 65536] * 60)
    sizes = []
    for step in ("failed", "failed", "failed", "stored", "stored", "stored", "stored"):
        backlog.on_failure() if step == "failed" else backlog.on_stored(backlog.next_batch())
        sizes.append(len(backlog.next_batch()))
    assert sizes == [8, 4, 2, 4, 8, 16, 16]


def test_batches_grow_again_after_a_refused_chunk_was_found() -> None:
    backlog = filled(*["x" * 65536] * 20)
    backlog.on_refusal(backlog.next_batch())
    backlog.on_stored(backlog.next_batch())
    assert len(backlog.next_batch()) == 2


def test_a_refused_chunk_is_isolated_then_escaped_then_withheld() -> None:
    backlog = filled("fine", "bäd", "fine too")
    backlog.on_refusal(backlog.next_batch())
    assert texts(backlog.next_batch()) == ["fine"]
    backlog.on_refusal(backlog.next_batch())  # already plain ASCII: it can only be withheld
    assert texts(backlog.next_batch()) == ["[4 characters that the database refused]\n"]
    backlog.on_stored(backlog.next_batch())
    [refused] = [backlog.next_batch()[:1]]
    backlog.on_refusal(refused)
    assert texts(backlog.next_batch())[0] == "b\\xe4d"
    assert backlog.size == len("b\\xe4d") + len("fine too")


def test_a_closed_queue_only_counts_missing_output() -> None:
    backlog = filled("abc")
    backlog.close()
    backlog.put([ChunkNumbering(STDOUT).make_chunk("de")])
    assert (backlog.missing, backlog.size, bool(backlog)) == (5, 0, False)
