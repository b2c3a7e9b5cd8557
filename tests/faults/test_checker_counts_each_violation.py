"""The checker on a correct history, and on the same history with one change."""

from __future__ import annotations

import ast
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.faults import checker
from tests.faults.checker import VIOLATIONS, Bounds, Case, Findings, Pause

BOUNDS = Bounds(lease=6, start_deadline=60, period=5, away=10)

SOUND = """
CREATE TABLE chroniker_job (id INTEGER, name TEXT, cron TEXT, group_id INTEGER,
    catch_up TEXT DEFAULT 'COALESCE', hold_on_failure INTEGER DEFAULT 0,
    retry_on_lost INTEGER DEFAULT 0, retry_backoff_seconds INTEGER DEFAULT 1);
CREATE TABLE chroniker_jobstate (job_id INTEGER, retry_of INTEGER);
CREATE TABLE chroniker_jobtrigger (source_id INTEGER, target_id INTEGER);
CREATE TABLE chroniker_activation (target_id INTEGER, cause TEXT);
CREATE TABLE chroniker_run (id TEXT, job_id INTEGER, token INTEGER, chain INTEGER,
    slot TEXT DEFAULT '', status TEXT DEFAULT 'SUCCEEDED',
    scheduled_for TEXT, covered_until TEXT, claimed_at TEXT DEFAULT '2026-01-01 00:00:10', parent_id TEXT,
    started_at TEXT DEFAULT '2026-01-01 00:00:10', finished_at TEXT DEFAULT '2026-01-01 00:00:11',
    required_host TEXT DEFAULT '', code TEXT DEFAULT '', dispatch_count INTEGER DEFAULT 1);
CREATE TABLE chroniker_lease (run_id TEXT);
CREATE TABLE chroniker_runevent (run_id TEXT, text TEXT DEFAULT '', code TEXT DEFAULT '');
CREATE TABLE chroniker_logchunk (run_id TEXT, stream INTEGER, seq INTEGER, text TEXT);
CREATE TABLE fault_effects (job TEXT, place INTEGER, token INTEGER);
CREATE TABLE fault_groups (id INTEGER, limit_ INTEGER);
CREATE TABLE fault_timelines (job_id INTEGER, since TEXT, until_ TEXT);
CREATE TABLE fault_leases (run_id TEXT, expires_at TEXT, gone_at TEXT);
INSERT INTO chroniker_job (id, name, cron, group_id) VALUES 
    (1, 'chatty 1', '*/10 * * * * *', 7), (2, 'short 2', '0 0 0 29 2 *', 7);
INSERT INTO fault_timelines VALUES (1, '2026-01-01 00:00:05', '2026-01-01 00:00:35');
INSERT INTO chroniker_run (id, job_id, scheduled_for, covered_until) VALUES
    ('a', 1, '2026-01-01 00:00:10', '2026-01-01 00:00:20'), ('b', 1, '2026-01-01 00:00:30', '2026-01-01 00:00:30'),
    ('c', 2, NULL, NULL);
INSERT INTO chroniker_logchunk VALUES ('a', 1, 0, '000000' || char(10)), ('a', 1, 1, '000001' || char(10));
INSERT INTO chroniker_logchunk SELECT 'b', stream, seq, text FROM chroniker_logchunk;
UPDATE chroniker_run SET token = 1, chain = 1 WHERE id = 'a';
UPDATE chroniker_run SET token = 2, chain = 2 WHERE id = 'b';
INSERT INTO chroniker_jobtrigger VALUES (1, 2);
INSERT INTO chroniker_activation VALUES (2, 'a'), (2, 'b');
INSERT INTO fault_effects VALUES ('chatty 1', 1, 1), ('chatty 1', 2, 2);
INSERT INTO fault_groups VALUES (7, 1);
INSERT INTO fault_leases VALUES ('a', '2026-01-01 00:00:16', '2026-01-01 00:00:11');
"""
MARKS = [("a", "begin", 1.0), ("a", "end", 2.0), ("b", "begin", 3.0), ("b", "end", 4.0), ("c", "begin", 5.0)]

Mark = tuple[str, str, float]

GIVEN_UP = (
    "UPDATE chroniker_run SET status = 'LOST', started_at = NULL, finished_at = '2026-01-01 00:01:12' WHERE id = 'c'"
)

#: What is wrong, in the database or in the witness file -> the figure that says so.
VIOLATING_CHANGES: list[tuple[str, str, list[Mark]]] = [
    ("overlapping", "UPDATE chroniker_job SET group_id = NULL", [("b", "begin", 1.5)]),
    ("executed_beyond_runs", "", [("a", "begin", 1.6)]),
    ("executed_beyond_runs", "", [("never claimed", "begin", 9.0)]),
    ("instants_unaccounted", "UPDATE chroniker_run SET scheduled_for = '2026-01-01 00:00:20' WHERE id = 'a'", []),
    ("instants_unaccounted", "UPDATE fault_timelines SET until_ = '2026-01-01 00:00:40'", []),
    ("instants_accounted_twice", "UPDATE chroniker_run SET scheduled_for = '2026-01-01 00:00:20' WHERE id = 'b'", []),
    ("instants_sharing_a_run", "UPDATE chroniker_job SET catch_up = 'EACH'", []),
    (
        "held_jobs_claimed",
        "UPDATE chroniker_job SET hold_on_failure = 1; UPDATE chroniker_run SET status = 'FAILED' WHERE id = 'a'",
        [],
    ),
    ("ends_without_one_activation", "DELETE FROM chroniker_activation WHERE cause = 'b'", []),
    ("ends_without_one_activation", "INSERT INTO chroniker_activation VALUES (2, 'a')", []),
    ("ends_without_one_activation", "UPDATE chroniker_run SET chain = 1 WHERE id = 'b'", []),
    ("runs_left_open", "UPDATE chroniker_run SET finished_at = NULL, status = 'RUNNING' WHERE id = 'c'", []),
    ("runs_left_open", "INSERT INTO chroniker_lease VALUES ('c')", []),
    (
        "runs_lost_early",
        "UPDATE chroniker_run SET status = 'LOST', code = 'LEASE' WHERE id = 'c';"
        "INSERT INTO fault_leases VALUES ('c', '2026-01-01 00:00:16', '2026-01-01 00:00:17')",
        [],
    ),
    (
        "runs_ended_late",
        "UPDATE chroniker_run SET status = 'LOST' WHERE id = 'c';"
        "INSERT INTO fault_leases VALUES ('c', '2026-01-01 00:00:16', '2026-01-01 00:00:50')",
        [],
    ),
    (
        "claims_not_taken",
        f"{GIVEN_UP};"
        "UPDATE chroniker_run SET claimed_at = '2026-01-01 00:00:45' WHERE id = 'b';"
        "UPDATE chroniker_run SET started_at = '2026-01-01 00:00:50' WHERE id = 'b'",
        [],
    ),
    ("output_missing_unmarked", "DELETE FROM chroniker_logchunk WHERE run_id = 'a' AND seq = 1", []),
    ("output_missing_unmarked", "DELETE FROM chroniker_logchunk WHERE run_id = 'a' AND seq = 0", []),
    (
        "output_missing_unmarked",
        "UPDATE chroniker_run SET status = 'TIMED_OUT' WHERE id = 'a'; DELETE FROM chroniker_logchunk",
        [("a", "wrote 2", 1.5)],
    ),
    (
        "output_missing_unmarked",  # that the run was lost says nothing about its output
        "UPDATE chroniker_run SET status = 'LOST' WHERE id = 'a'; DELETE FROM chroniker_logchunk WHERE run_id = 'a'",
        [("a", "wrote 2", 1.5)],
    ),
    ("fenced_without_lease", "INSERT INTO fault_effects VALUES ('chatty 1', 3, 1)", []),
    ("groups_over_limit", "", [("c", "alive", 3.5)]),
]


def check_history(
    path: Path, change: str = "", more: list[Mark] | None = None, pauses: Sequence[Pause] = ()
) -> Findings:
    witness = path / "witness"
    marks = [{"run": run, "event": event, "monotonic": at} for run, event, at in [*MARKS, *(more or [])]]
    if more and more[0][:2] == ("b", "begin"):
        marks = [mark for mark in marks if (mark["run"], mark["monotonic"]) != ("b", 3.0)]
    witness.write_text("".join(json.dumps(mark) + "\n" for mark in marks))
    database = sqlite3.connect(":memory:")
    database.executescript(SOUND + change)

    def query(statement: str) -> list[Any]:
        return database.execute(statement).fetchall()

    return checker.check(Case(witness, BOUNDS, chatty_lines=2, pauses=pauses), query)


def test_where_nothing_is_wrong_every_goal_is_met(tmp_path: Path) -> None:
    findings = check_history(tmp_path)
    assert findings.clean, findings.violations
    assert findings.figures["executions"] == 3 and findings.figures["instants"] == 3


@pytest.mark.parametrize(("figure", "change", "more"), VIOLATING_CHANGES)
def test_what_is_wrong_is_counted_under_its_name(figure: str, change: str, more: list[Mark], tmp_path: Path) -> None:
    findings = check_history(tmp_path, change, more)
    assert set(findings.violations) == {figure}, findings.examples
    assert findings.examples[figure]


def test_each_goal_is_tried() -> None:
    assert {figure for figure, _change, _more in VIOLATING_CHANGES} == set(VIOLATIONS)


def test_an_end_that_is_said_to_be_missing_is_no_violation(tmp_path: Path) -> None:
    change = (
        "DELETE FROM chroniker_logchunk WHERE run_id = 'a' AND seq = 1;"
        "INSERT INTO chroniker_runevent (run_id, code) VALUES ('a', 'OUTPUT_MISSING')"
    )
    assert check_history(tmp_path, change).clean


def test_a_flood_of_which_nothing_was_stored_needs_a_mark(tmp_path: Path) -> None:
    flood = (
        "UPDATE chroniker_job SET name = 'flood 1000' WHERE id = 1; DELETE FROM chroniker_logchunk;"
        "INSERT INTO chroniker_logchunk VALUES ('b', 0, 0, '1000 bytes of stdout are missing');"
    )
    said = "INSERT INTO chroniker_runevent (run_id, code) VALUES ('a', 'OUTPUT_UNSTORED')"
    assert set(check_history(tmp_path, flood).violations) == {"output_missing_unmarked"}
    assert check_history(tmp_path, flood + said).clean


def test_the_exposure_counts_leases_that_expired_beside_a_live_tree(tmp_path: Path) -> None:
    change = (
        "UPDATE chroniker_run SET status = 'LOST' WHERE id = 'c';"
        "INSERT INTO fault_leases VALUES ('c', '1970-01-01 00:00:08', '1970-01-01 00:00:12')"
    )
    figures = check_history(tmp_path, change, [("c", "alive", 6.5)]).figures
    assert figures["leases_expired"] == figures["expired_tree_alive_half_lease_before"] == 1
    assert figures["expired_tree_alive_at_expiry"] == 0
    assert figures["overlap_rate_per_execution_below"] == 1.0
    assert check_history(tmp_path, change, [("c", "alive", 8.5)]).figures["expired_tree_alive_at_expiry"] == 1


NO_GROUP = "UPDATE chroniker_job SET group_id = NULL;"


@pytest.mark.parametrize(("at", "pauses"), [(12.05, [(2.1, 12.0)]), (12.05, [(0.5, 1.5), (2.1, 12.0)])])
def test_a_command_that_its_keeper_kills_just_after_a_pause_is_counted_apart(
    at: float, pauses: list[Pause], tmp_path: Path
) -> None:
    findings = check_history(tmp_path, NO_GROUP, [("a", "alive", at)], pauses)
    assert findings.clean, findings.violations
    assert findings.figures["overlapping_after_a_pause"] == 1


@pytest.mark.parametrize(
    ("more", "pauses"),
    [
        ([("a", "alive", 12.05)], []),
        ([("a", "alive", 12.2)], [(2.1, 12.0)]),  # too long after it
        ([("a", "alive", 11.0)], [(2.1, 12.0)]),  # during it
        ([("a", "alive", 3.0), ("a", "alive", 12.05)], [(2.1, 12.0)]),  # another worker's command
        ([("a", "alive", 12.05), ("a", "alive", 12.15)], [(2.1, 12.0)]),
    ],
)
def test_any_other_mark_beside_a_newer_run_is_an_overlap(more: list[Mark], pauses: list[Pause], tmp_path: Path) -> None:
    assert set(check_history(tmp_path, NO_GROUP, more, pauses).violations) == {"overlapping"}


def test_a_lost_run_is_retried_within_the_bound_after_its_back_off(tmp_path: Path) -> None:
    change = (
        "UPDATE chroniker_job SET retry_on_lost = 1, retry_backoff_seconds = 1 WHERE id = 1;"
        "UPDATE chroniker_run SET status = 'LOST' WHERE id = 'a'"
    )
    figures = check_history(tmp_path, change, [("b", "begin", 3.5)]).figures
    assert (figures["retry_of_lost_count"], figures["retry_of_lost_max_s"]) == (1, 0.5)
    assert figures["retry_of_lost_within_bound"] == 1


def test_a_claim_that_was_given_up_while_nobody_took_any_is_no_violation(tmp_path: Path) -> None:
    findings = check_history(tmp_path, GIVEN_UP)
    assert findings.clean, findings.violations
    assert findings.figures["claims_given_up"] == 1


def imported(source: str) -> set[str]:
    tree = ast.parse(source)
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def test_the_checker_shares_no_code_with_the_product() -> None:
    assert checker.__file__
    used = {name for path in Path(checker.__file__).parent.glob("*.py") for name in imported(path.read_text())}
    assert not [name for name in used if name.startswith("chroniker") or name.partition(".")[0] == "django"]
    assert {name for name in used if name.startswith("tests")} == {
        name for name in used if name.startswith("tests.faults.checker")
    }
