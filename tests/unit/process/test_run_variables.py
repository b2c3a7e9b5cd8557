"""The variables that describe a run to its command."""

from __future__ import annotations

import dataclasses
import datetime as dt
from uuid import UUID

import pytest

import chroniker
from chroniker.process.run_variables import RUN_VARIABLES, CurrentRun, replace_variables

AT = dt.datetime(2026, 11, 28, 3, tzinfo=dt.UTC)
RUN = CurrentRun(
    job_id=7,
    job_name="nightly -- report",
    timezone="Europe/Paris",
    run_id=UUID(int=5),
    token=41,
    attempt=2,
    trigger="SCHEDULE",
    scheduled_for=AT,
    covered_until=AT + dt.timedelta(hours=1),
    interval_start=AT - dt.timedelta(hours=1),
    last_success=AT - dt.timedelta(hours=2),
    cause_run_id=UUID(int=6),
    cause_job="load",
)


def test_each_value_has_a_variable_with_utc_times() -> None:
    assert RUN.to_environment() == {
        "CHRONIKER_JOB_ID": "7",
        "CHRONIKER_JOB_NAME": "nightly -- report",
        "CHRONIKER_TIMEZONE": "Europe/Paris",
        "CHRONIKER_RUN_ID": str(UUID(int=5)),
        "CHRONIKER_RUN_TOKEN": "41",
        "CHRONIKER_ATTEMPT": "2",
        "CHRONIKER_TRIGGER": "SCHEDULE",
        "CHRONIKER_SCHEDULED_FOR": "2026-11-28T03:00:00+00:00",
        "CHRONIKER_COVERED_UNTIL": "2026-11-28T04:00:00+00:00",
        "CHRONIKER_INTERVAL_START": "2026-11-28T02:00:00+00:00",
        "CHRONIKER_LAST_SUCCESS": "2026-11-28T01:00:00+00:00",
        "CHRONIKER_CAUSE_RUN_ID": str(UUID(int=6)),
        "CHRONIKER_CAUSE_JOB": "load",
    }


def test_times_of_other_zones_are_given_in_utc() -> None:
    tokyo = AT.astimezone(dt.timezone(dt.timedelta(hours=9)))
    assert dataclasses.replace(RUN, scheduled_for=tokyo).to_environment() == RUN.to_environment()


def test_a_variable_without_a_value_is_absent() -> None:
    bare = dataclasses.replace(RUN, interval_start=None, last_success=None)
    assert not {"CHRONIKER_INTERVAL_START", "CHRONIKER_LAST_SUCCESS"} & bare.to_environment().keys()
    assert CurrentRun.from_environment(bare.to_environment()) == bare


def test_a_command_reads_the_run_from_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in RUN.to_environment().items():
        monkeypatch.setenv(name, value)
    assert chroniker.current_run() == RUN


@pytest.mark.parametrize("missing", [None, "CHRONIKER_JOB_ID", "CHRONIKER_RUN_ID"])
def test_there_is_no_current_run_outside_a_run(monkeypatch: pytest.MonkeyPatch, missing: str | None) -> None:
    for name in RUN_VARIABLES.values():
        monkeypatch.delenv(name, raising=False)
    for name, value in RUN.to_environment().items() if missing else ():
        if name != missing:
            monkeypatch.setenv(name, value)
    assert chroniker.current_run() is None


def test_the_run_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        RUN.token = 42  # type: ignore[misc]


def test_a_run_within_another_run_does_not_inherit_its_values() -> None:
    environment = {**RUN.to_environment(), "PATH": "/bin"}
    inner = dataclasses.replace(RUN, token=1, last_success=None).to_environment()
    replace_variables(environment, inner)
    assert environment == {**inner, "PATH": "/bin"}


def test_a_nul_character_in_a_name_does_not_reach_the_environment() -> None:
    assert dataclasses.replace(RUN, job_name="a\0b").to_environment()["CHRONIKER_JOB_NAME"] == "ab"
