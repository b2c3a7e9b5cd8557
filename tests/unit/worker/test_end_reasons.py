from __future__ import annotations

import pytest
from django.utils.translation import override

from chroniker.reasons import Code, Reason
from chroniker.worker import run_ending


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [
        (0, "it exited with status 0"),
        (3, "it exited with status 3"),
        (-15, "it was killed by SIGTERM"),
        (-99, "it was killed by signal 99"),
        (None, "its exit status is unknown"),
    ],
)
def test_an_exit_status_is_described_in_words(exit_code: int | None, words: str) -> None:
    assert str(run_ending.reason_of_exit(exit_code)) == words


def test_reasons_are_in_the_language_of_the_reader() -> None:
    reason = run_ending.reason_of_code(Code.LEASE_LATE)
    english = str(reason)
    with override("de"):
        assert str(reason) != english


def test_the_log_is_in_english() -> None:
    with override("de"):
        assert run_ending.reason_in_english(run_ending.reason_of_exit(3)) == "it exited with status 3"


def test_a_text_without_a_code_is_kept() -> None:
    with override("de"):
        assert str(run_ending.reason_of_code("the report failed: OSError()")) == "the report failed: OSError()"


def test_a_reason_of_several_parts_keeps_the_code_of_the_first() -> None:
    reason = Reason.joined(
        Reason.of(Code.TIMEOUT, seconds=5.0),
        run_ending.reason_of_exit(-9),
        Reason.of(Code.SURVIVORS, names=["sleep (12)"]),
    )
    assert reason.code == Code.TIMEOUT
    assert str(reason) == (
        "it ran longer than its timeout of 5 s; it was killed by SIGKILL; these processes could not be killed: "
        "sleep (12)"
    )
    late = Reason.joined(reason, Reason.of(Code.REPORT_LATE))
    assert str(late) == f"{reason}; the result was reported too late"
