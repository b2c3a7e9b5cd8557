"""The limits of the parameters of a recurrence rule. Other invalid parameters: ``test_invalid_schedules``."""

from __future__ import annotations

import pytest

from chroniker.exceptions import ScheduleError
from chroniker.schedule.rrule_params import parse_recurrence_params


def test_the_parameters_may_have_twenty_thousand_characters() -> None:
    longest = "byhour:7".ljust(20_000)
    assert parse_recurrence_params("DAILY", longest).byhour == (7,)
    with pytest.raises(ScheduleError, match="20001 characters; at most 20000"):
        parse_recurrence_params("DAILY", longest + " ")


def test_a_year_has_at_most_53_of_a_weekday() -> None:
    assert parse_recurrence_params("YEARLY", "byweekday:53mo,fr(-53)").byweekday == ((0, 53), (4, -53))
    for text in ("54mo", "fr(-54)"):
        with pytest.raises(ScheduleError, match="the n-th weekday of a month or year"):
            parse_recurrence_params("YEARLY", f"byweekday:{text}")
