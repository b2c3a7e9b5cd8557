"""The benchmarks run and print their rows. Speed is not tested."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

import pytest

from tests.benchmarks import peers, report
from tests.benchmarks.modules import entered
from tests.benchmarks.peer_list import Peer
from tests.support.benchmark_rows import limits, printed_by
from tests.support.servers import RedisServer

pytestmark = [
    pytest.mark.celery,
    pytest.mark.skipif(not RedisServer.available(), reason="redis is not installed here"),
]


def test_the_benchmark_of_the_tick_prints_a_row_for_each_number_of_due_jobs() -> None:
    idle, some = printed_by("tick", "--jobs", "40", "--due", "0,3", "--repeat", "1")
    assert (idle["due"], some["due"]) == (0, 3)
    assert some["statements_per_batch"] > 0
    assert some["tick_ms"] > 0 and some["floor_ms"] > 0 and some["ratio"] > 0 and some["cpu_ms"] > 0
    allowed = limits()
    for row in (idle, some):
        limit = allowed[f"statements of a tick, {row['due']} due"]
        assert row["statements"] <= limit, "find out why, or change the limit in tests/benchmarks/counts.json"


def test_a_report_writes_the_rows_into_its_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- measured: daily -->\nold\n<!-- end: daily -->\nafter\n", encoding="utf-8")
    report._write(page, "daily", [{"benchmark": "a", "p50_ms": 1.5}, {"benchmark": "b", "p50_ms": 2_000}])
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "| benchmark | p50 ms |\n|---|---|\n| a | 1.5 |\n| b | 2,000 |\n" in text
    assert "Python" in text and "cores" in text


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the name of a process")
def test_a_report_keeps_the_rows_of_other_benchmarks_when_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- measured: daily -->\n<!-- end: daily -->\n", encoding="utf-8")
    wrong = ("tick", "--no-such-option")
    monkeypatch.setattr(report, "PARTS", {"daily": (("modules",), wrong)})
    with pytest.raises(SystemExit, match="--no-such-option"):
        list(report.rows(Namespace(part=None, only=None, page=page)))
    text = page.read_text(encoding="utf-8")
    assert "| modules | keeper | process/keeper.py |" in text
    assert "| tick --no-such-option |" in text and "| failed with status 2 |" in text


def test_the_benchmark_of_runs_prints_a_row_for_each_kind_of_load() -> None:
    small = ("--runs", "2", "--due", "4", "--megabytes", "1", "--asleep", "3")
    alone, many, output, asleep = printed_by("run", *small)
    assert (alone["count"], many["count"]) == (2, 4)
    assert output["seconds"] > 0 and output["pool_peak_mb"] >= output["pool_mb"] > 0
    assert asleep["keeper_mb"] > 0 and asleep["command_mb"] > 0
    assert 0 < alone["p50_ms"] <= alone["p99_ms"]
    assert alone["floor_ms"] > 0 and many["runs_per_second"] > 0 and many["cpu_ms_per_run"] > 0
    assert many["fork_server_cpu_ms"] > 0 and many["pool_cpu_ms"] > 0 and many["main_cpu_ms"] >= 0


def test_the_benchmark_of_a_fleet_renews_each_lease_and_ends_each_run() -> None:
    words = ("--workers", "3", "--slots", "4", "--seconds", "4", "--runs", "5", "--settle", "1", "--threads", "2")
    each, together, runs = printed_by("fleet", *words, on_chosen=False)
    for row in (each, together):
        assert (row["open_runs"], row["lost"]) == (12, 0)
        assert row["renewals_per_second"] > 0 and row["server_ms_per_renewal"] > 0
    assert runs["runs"] == 5 and runs["fsyncs_per_run"] > 0


def test_the_benchmark_of_deletion_reads_the_waits_for_locks() -> None:
    (row,) = printed_by("clean", "--jobs", "60", "--runs-each", "4", on_chosen=False)
    assert row["deleted"] > 0 and row["claimed"] > 0 and row["peak_mb"] > 0
    assert row["lock_waits"] >= 0 and row["longest_lock_wait_ms"] >= 0


def test_a_peer_that_cannot_be_installed_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Peer("absent", ("./there-is-no-such-package",), (), (), "nothing")
    monkeypatch.setattr(peers, "PEERS", (absent,))
    (row,) = peers.rows(Namespace(only=None, schedules=1, due=1))
    assert row["peer"] == "absent" and "there-is-no-such-package" in row["failed"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the name of a process")
def test_one_due_job_enters_few_modules() -> None:
    """See decision 32 in the documentation."""
    by_role = entered()
    assert by_role.keys() == {"tick", "worker", "fork server", "keeper", "command"}
    assert len(set().union(*by_role.values())) <= 96
