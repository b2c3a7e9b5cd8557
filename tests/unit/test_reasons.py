from __future__ import annotations

from pathlib import Path

import pytest
from django.utils.translation import gettext, override

from chroniker import reasons
from chroniker.models import FINAL_STATUSES, Run, Status
from chroniker.reasons import Code, Reason

STATES = Path(__file__).parents[2] / "docs/reference/states.md"


@pytest.mark.parametrize("code", Code)
def test_each_code_is_documented_with_its_text(code: Code) -> None:
    with override("en"):
        assert f"\n| {code.value} | {code.label} |\n" in STATES.read_text()


@pytest.mark.parametrize("code", Code)
def test_each_code_fits_the_column(code: Code) -> None:
    assert len(code.value) <= (Run._meta.get_field("code").max_length or 0)


def test_a_reason_is_rendered_in_the_language_of_its_reader() -> None:
    run = Run(status=Status.LOST, **Reason.of(Code.NOT_TAKEN).columns())
    english = run.reason
    with override("de"):
        assert run.reason == gettext("No worker took it within its start deadline.") != english


def test_columns_of_a_run_are_parameters_of_its_reason() -> None:
    run = Run(required_host="web1", **Reason.of(Code.WAITS_FOR_HOST).columns())
    assert "“web1”" in run.reason


def test_free_text_is_shown_unchanged() -> None:
    with override("de"):
        assert Run(**Reason(text="exit status 3").columns()).reason == "exit status 3"


def test_a_reason_with_several_parts_shows_all_of_them() -> None:
    args = {reasons.OTHER_PARTS_KEY: [["BLACKOUT", {"name": "Christmas"}]]}
    assert reasons.render("OVERLAP", args) == "The job was still running.; Blackout: Christmas"


@pytest.mark.parametrize(
    ("code", "args"),
    [("FROM_THE_FUTURE", {"n": 3}), ("MISSED", {}), ("HOSTS", {"done": 1, "all": 2, "others": [["web1", "MELTED"]]})],
)
def test_a_reason_of_another_version_is_shown(code: str, args: dict[str, object]) -> None:
    text = reasons.render(code, args)
    assert text
    if code == "FROM_THE_FUTURE":
        assert text == "FROM_THE_FUTURE n=3"


def test_outcomes_of_hosts_have_the_labels_of_their_states() -> None:
    for status in set(FINAL_STATUSES) - {Status.SUCCEEDED, Status.SKIPPED}:
        args = {"done": 1, "all": 3, "others": [["web1", status.value]], "more": 1}
        assert f"web1: {status.label}, and 1 more" in reasons.render("HOSTS", args)


def test_missed_runs_are_recognized_by_code_and_not_by_text() -> None:
    assert Run(status=Status.SKIPPED, code=Code.MISSED).is_missed
    assert Run(status=Status.SKIPPED, code=Code.NO_HOST).is_missed
    assert not Run(status=Status.SKIPPED, code=Code.OVERLAP).is_missed
    assert not Run(status=Status.SKIPPED, reason_text="Missed: more than 5 s late.").is_missed


def test_a_status_among_the_parameters_is_shown_by_its_label() -> None:
    for status in Status:
        assert f"“{status.label}”" in str(Reason.of(Code.LATE_RESULT, outcome=status.value, run_status=status.value))


def test_free_text_stays_when_it_is_joined_to_a_reason() -> None:
    joined = Reason.joined(Reason.of(Code.LATE_RESULT, outcome="FAILED", run_status="LOST"), Reason(text="it broke"))
    assert str(joined) == "it ended as “failed” after it had been closed as “lost”; it broke"


@pytest.mark.parametrize("reason", [Reason.of(Code.CLOCK_AHEAD, seconds=3), Reason(text="It jumped."), Reason()])
def test_a_reason_can_be_stored_as_one_text(reason: Reason) -> None:
    assert str(Reason.from_text(reason.to_text())) == str(reason)


def test_a_requester_that_is_no_person_is_rendered_in_the_language_of_the_reader() -> None:
    by = Reason.of(Code.FORCE_STOP).to_text()
    run = Run(status=Status.STOPPED, stop_requested_by=by, **Reason.of(Code.STOP, who=by).columns())
    assert run.stop_requester == "the force-stop flag" and run.reason == "a stop was requested by the force-stop flag"
    with override("de"):
        assert run.stop_requester == gettext("the force-stop flag") != "the force-stop flag"
        assert run.stop_requester in run.reason


def test_a_reason_can_be_shown_without_the_last_line_of_output() -> None:
    reason = Reason.joined(Reason.of(Code.EXIT, status=1), Reason.of(Code.LAST_LINE, line="token abc"))
    run = Run(status=Status.FAILED, **reason.columns())
    assert run.reason == "it exited with status 1; last line on stderr: token abc"
    assert run.reason_without_output == "it exited with status 1"


@pytest.mark.parametrize("name", ["ann", "12", "null", '"ab"', '["NEWER", {}]', "[" * 100_000])
def test_the_name_of_a_requester_is_shown_unchanged(name: str) -> None:
    assert Run(stop_requested_by=name).stop_requester == name
    assert reasons.render("REQUESTED", {"who": name}) == f"requested by {name}"
