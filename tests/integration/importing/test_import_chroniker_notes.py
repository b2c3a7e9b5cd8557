"""What the import of django-chroniker's jobs says about values that mean something else here."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from chroniker.importing.candidate import ImportCandidate
from chroniker.importing.django_chroniker.arguments import to_command_line
from chroniker.models import JobState
from tests.integration.importing.chroniker_imports import a_dump, imported

pytestmark = pytest.mark.django_db

LATE = "2026-11-20T00:30:00Z"


def the_import(tmp_path: Path, options: dict[str, Any] | None = None, **fields: Any) -> ImportCandidate:
    (candidate,) = imported(a_dump(tmp_path, {"name": "x", "enabled": True, **fields}), **(options or {})).values()
    return candidate


@pytest.mark.parametrize(
    ("command", "text", "line", "note"),
    [
        ("dumpdata", "'auth", "'auth", ""),
        ("dumpdata", "args=auth", "auth", ""),
        ("dumpdata", "colour_name=red", "--colour-name=red", "The command has no option “colour_name” (colour_name="),
        ("dumpdata", "all=True", "--all", ""),
        ("dumpdata", "all=", "", ""),
        ("dumpdata", "all=False", "", "“all=False” switched the option on there; here the option is off."),
        ("no_such_command", "a_b=1", "--a-b=1", ""),
        ("cannot_load", "a_b=1 c", "--a-b=1 c", ""),
    ],
)
def test_arguments_become_a_command_line(command: str, text: str, line: str, note: str) -> None:
    found, notes = to_command_line(command, text, like_a_shell=True)
    assert found == line
    assert len(notes) == bool(note) and all(each.startswith(note) for each in notes)


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"jitter_seconds": 86_401}, "Its jitter is reduced to one day."),
        ({"jitter_seconds": 86_400}, ""),
        ({"is_running": True}, "It was marked as running there."),
        ({"is_running": False}, ""),
    ],
)
def test_other_values_have_notes(tmp_path: Path, fields: dict[str, Any], note: str) -> None:
    notes = the_import(tmp_path, next_run="2026-12-01T00:00:00Z", **fields).differences
    both = {"Its jitter is reduced to one day.", "It was marked as running there."}
    assert both & set(notes) == ({note} if note else set())


@pytest.mark.parametrize("catches_up", [True, False])
def test_an_overdue_single_run_is_disabled_without_catch_up(tmp_path: Path, catches_up: bool) -> None:
    found = the_import(tmp_path, {"catch_up": catches_up}, frequency="HOURLY", params="count:1", next_run=LATE)
    assert found.job.enabled == catches_up
    assert ("Its only run is overdue: the job is disabled here." in found.differences) != catches_up


def test_a_disabled_job_without_a_next_run_has_no_note(tmp_path: Path) -> None:
    note = "It had no next run there and would never have run: it is disabled here."
    assert note not in the_import(tmp_path, enabled=False).differences
    enabled = the_import(tmp_path, name="y")
    assert note in enabled.differences and not enabled.job.enabled


@pytest.mark.parametrize("params", ["byhour:99", "bymonth:2;bymonthday:30"])
def test_an_invalid_rule_has_no_next_times_and_a_disabled_job(tmp_path: Path, params: str) -> None:
    found = the_import(tmp_path, params=params, next_run="2026-12-01T00:00:00Z")
    assert found.instants_there == [] and not found.job.enabled
    assert "It is disabled here until this is fixed: " in " ".join(found.differences)


@pytest.mark.parametrize("params", ["byweekday:1MO", "byweekday:mo"])
def test_a_rule_that_works_here_alone_has_no_next_times_there(tmp_path: Path, params: str) -> None:
    found = the_import(tmp_path, frequency="MONTHLY", params=params, next_run="2026-12-01T00:00:00Z")
    assert found.instants_there == [] and found.job.enabled


@pytest.mark.parametrize("stored", ["2026-11-20T09:00:00", "2026-11-20T08:00:00Z"])
def test_the_last_run_keeps_its_moment(tmp_path: Path, settings: Any, stored: str) -> None:
    settings.TIME_ZONE = "Europe/Paris"
    found = the_import(tmp_path, last_run=stored, last_run_successful=True)
    assert JobState.objects.get(pk=found.job.pk).last_finished_at == dt.datetime(2026, 11, 20, 8, tzinfo=dt.UTC)
