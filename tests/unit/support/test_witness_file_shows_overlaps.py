from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.testapp.witnessing import Mark, begun, ended, overlaps, witnessed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "witness"


def mark(path: Path, event: str, at: float, *, job: str = "job", pid: int) -> None:
    with path.open("a") as file:
        file.write(json.dumps(asdict(Mark(event, job, f"run-{pid}", pid, pid, at, at))) + "\n")


def test_successive_instances_do_not_overlap(path: Path) -> None:
    for pid, at in (1, 10.0), (2, 20.0):
        mark(path, "begin", at, pid=pid)
        mark(path, "end", at + 5, pid=pid)
    assert overlaps(path) == []


def test_an_instance_that_begins_before_another_ends_overlaps_it(path: Path) -> None:
    mark(path, "begin", 10, pid=1)
    mark(path, "begin", 12, pid=2)
    mark(path, "end", 15, pid=1)
    mark(path, "end", 16, pid=2)
    assert [(first.pid, second.pid) for first, second in overlaps(path)] == [(1, 2)]


def test_instances_of_different_jobs_may_overlap(path: Path) -> None:
    mark(path, "begin", 10, pid=1, job="one")
    mark(path, "begin", 11, pid=2, job="other")
    mark(path, "end", 12, pid=1, job="one")
    assert overlaps(path) == []


def test_a_killed_instance_does_not_overlap_its_successor(path: Path) -> None:
    mark(path, "begin", 10, pid=1)
    mark(path, "begin", 20, pid=2)
    mark(path, "end", 25, pid=2)
    assert overlaps(path) == []


def test_the_file_records_which_run_began_and_ended(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHRONIKER_RUN_ID", "some-run")
    monkeypatch.setenv("CHRONIKER_RUN_TOKEN", "7")
    with witnessed(path, "job"):
        assert [(mark.run, mark.token) for mark in begun(path, "job")] == [("some-run", 7)]
        assert ended(path) == []
    assert [(mark.run, mark.token) for mark in ended(path, "job")] == [("some-run", 7)]
