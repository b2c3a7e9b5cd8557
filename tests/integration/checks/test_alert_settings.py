"""CHRONIKER_ALERTS: the names and values of the alert fields."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings

from chroniker.checks.values import check_setting_values


def problems(value: Any) -> list[tuple[str | None, str]]:
    with override_settings(CHRONIKER_ALERTS=value):
        return [(found.id, str(found.hint)) for found in check_setting_values() if "CHRONIKER_ALERTS" in found.msg]


@pytest.mark.parametrize(
    "value", [{}, {"alert_start_seconds": 0, "alert_done_by": "06:00 mon-fri"}, {"alert_done_by": "never"}]
)
def test_valid_values_are_accepted(value: dict[str, Any]) -> None:
    assert problems(value) == []


@pytest.mark.parametrize(
    ("value", "check_id", "hint"),
    [
        (["alert_failures"], "chroniker.E006", "Give the fields"),
        ({"alert_failures": "3"}, "chroniker.E006", "Give the fields"),
        ({"alert_failures": True}, "chroniker.E006", "Give the fields"),
        ({"alert_failure": 3}, "chroniker.E007", "alert_failures"),
        ({"alert_done_by": "6 o'clock"}, "chroniker.E007", "Write 06:00 or 06:00 mon-fri."),
        ({"alert_start_seconds": 10**9}, "chroniker.E007", "less than or equal"),
        ({"alert_run_seconds": -1}, "chroniker.E007", "alert_run_seconds"),
    ],
)
def test_other_values_are_refused(value: Any, check_id: str, hint: str) -> None:
    ((found_id, text),) = problems(value)
    assert found_id == check_id and hint in text
