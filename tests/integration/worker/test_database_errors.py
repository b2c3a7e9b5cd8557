"""A slow or failing database delays a run but never loses it; lost output is always recorded."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db.utils import DataError

from chroniker.process.kernel import boot_clock
from chroniker.process.run_spec import RunOutcome
from chroniker.worker import report_timing
from chroniker.worker.output import MAX_BATCH_LENGTH
from tests.support.processes import MARK, marked, wait_until
from tests.support.supervision.fake_report import DatabaseDown, FakeReport
from tests.support.supervision.supervised import Supervise

Run = Callable[[FakeReport], RunOutcome]


@pytest.fixture
def fork_server(warm_fork_server: object) -> object:
    """How the keeper was started makes no difference here."""
    return warm_fork_server


def test_renewals_continue_while_inserts_are_slow(run: Run) -> None:
    report = FakeReport("sh", "-c", "seq 1 200000; sleep 1", heartbeat=0.1, lease=3.0, margin=1.0)
    report.slow["output"] = 0.5
    assert run(report).exit_code == 0
    assert report.text().endswith("\n200000\n")
    names = report.names()
    before_finish = itertools.pairwise(names[: names.index("finish")])
    assert ("output", "output") not in before_finish, "an insert came before a renewal that was due"


def test_while_output_cannot_be_stored_the_command_blocks_on_its_pipe(supervise: Supervise) -> None:
    report = FakeReport("sh", "-c", "head -c 8000000 /dev/zero | tr '\\0' x; echo written >&2", heartbeat=0.1)
    report.failing["output"] = 3
    supervised = supervise(report)
    assert supervised.end().exit_code == 0
    assert len(report.text()) == 8_000_000
    assert report.largest_insert <= MAX_BATCH_LENGTH
    assert len(report.sent) > len(set(report.sent)), "a failed chunk was sent again with the same number"


def test_a_chunk_refused_by_the_database_is_escaped(run: Run) -> None:
    report = FakeReport("sh", "-c", "echo first; sleep 1.2; echo 'snow ☃'; echo last >&2")
    report.refuses = lambda text: None if text.isascii() else DataError("Incorrect string value")
    assert run(report).exit_code == 0
    assert report.text() == "first\nsnow \\u2603\n"
    assert report.text(2) == "last\n"


def test_a_chunk_that_is_refused_even_when_escaped_is_replaced_by_a_note(run: Run) -> None:
    report = FakeReport("sh", "-c", "echo secret; echo fine >&2")
    report.refuses = lambda text: ValueError("no") if "secret" in text else None
    assert run(report).exit_code == 0
    assert report.text() == "[7 characters that the database refused]\n"
    assert report.text(2) == "fine\n"


def test_a_start_whose_response_was_lost_is_requested_again(run: Run) -> None:
    report = FakeReport("echo", "hello")
    report.failing["start"] = 2
    assert run(report).exit_code == 0
    assert report.names()[:4] == ["start", "start", "start", "renew"]


def test_a_start_that_never_succeeds_raises_and_runs_nothing(supervise: Supervise) -> None:
    report = FakeReport("echo", "hello")
    report.failing["start"] = 1000
    with pytest.raises(DatabaseDown):
        supervise(report).end()
    assert set(report.names()) == {"start"}


def test_a_refused_start_runs_nothing(supervise: Supervise) -> None:
    report = FakeReport("echo", "hello")
    report.order = None
    supervised = supervise(report)
    supervised._thread.join(30)
    assert supervised.ending is None
    assert supervised.error is None
    assert report.names() == ["start"]


def test_a_finish_is_retried_until_it_succeeds(run: Run) -> None:
    report = FakeReport("echo", "hello")
    report.failing["finish"] = 2
    ending = run(report)
    assert (ending.end_kind, report.ending) == ("exited", ending)


def test_a_finish_that_never_succeeds_is_abandoned_when_the_lease_expires(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_timing, "FINISH_RETRY_SECONDS_AFTER_LEASE", 0.5)
    monkeypatch.setattr(report_timing, "RETRY_SECONDS", 0.1)
    report = FakeReport("echo", "hello", lease=2.0, margin=0.5)
    report.failing.update(finish=1000)
    ending = run(report)
    assert ending.end_kind == "lost"
    assert "could not be saved" in str(ending.reason)


def test_a_finish_that_is_too_late_is_reported(supervise: Supervise) -> None:
    report = FakeReport("sh", "-c", "echo begun; sleep 0.5", heartbeat=60.0, lease=200.0)
    supervised = supervise(report)
    time.sleep(0.2)
    report.held = False
    ending = supervised.end()
    assert ending.end_kind == "lost"
    assert "it exited with status 0; the result was reported too late" in str(ending.reason)
    assert "may be missing" in report.notes[-1][1]


def test_a_normal_end_is_reported_after_its_output(run: Run) -> None:
    report = FakeReport("sh", "-c", "seq 1 100000")
    report.slow["output"] = 0.2
    run(report)
    assert report.names()[-1] == "finish"


def test_a_normal_end_waits_for_pending_output_only_for_a_limited_time(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_timing, "OUTPUT_WAIT_BEFORE_FINISH_SECONDS", 0.3)
    report = FakeReport("sh", "-c", "seq 1 200000")
    report.slow["output"] = 0.4
    assert run(report).end_kind == "exited"
    names = report.names()
    assert "output" in names[names.index("finish") :]
    assert report.text().endswith("\n200000\n")
    assert "outcome was reported before" in report.text(0)


def test_output_that_could_not_be_stored_is_counted_in_an_event(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_timing, "OUTPUT_WAIT_BEFORE_FINISH_SECONDS", 0.2)
    monkeypatch.setattr(report_timing, "OUTPUT_WAIT_AFTER_FINISH_SECONDS", 0.5)
    report = FakeReport("echo", "hello")
    report.failing["output"] = 1000
    assert run(report).exit_code == 0
    assert "may be missing. Characters not known to be stored: " in report.notes[-1][1]


def test_the_connection_is_closed_after_a_failure(run: Run) -> None:
    report = FakeReport("echo", "hello")
    report.failing["finish"] = 1
    run(report)
    names = [name for name, _, _ in report.calls]
    assert names[names.index("finish") + 1] == "close"


def test_the_deadline_counts_from_before_the_renewal_was_sent(supervise: Supervise) -> None:
    mark = uuid4().hex
    report = FakeReport("sh", "-c", "echo begun; sleep 60", lease=6.0, margin=3.0, heartbeat=0.2, env={MARK: mark})
    supervised = supervise(report)
    supervised.wait_for_text("begun")
    report.slow["renew"] = 2.5
    renewals = report.names().count("renew")
    wait_until(lambda: report.names().count("renew") >= renewals + 2)
    begun = [begun for name, begun, _ in report.calls if name == "renew"][-1]
    report.failing["renew"] = 1000
    wait_until(lambda: not marked(mark))
    assert boot_clock() < begun + 2.5 + 3.0, "the lease was measured from the response"
    report.slow.clear()
    assert supervised.end().end_kind == "lost"
