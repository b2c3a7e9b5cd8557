"""The days of a year as bits. Whole searches are compared with other programs, in the tests beside this one."""

from __future__ import annotations

import datetime as dt

import pytest

from chroniker.schedule.day_sets import RuleDays, first_day_from, last_day_until

#: dateutil computes the days of these months. Without any condition they are computed here.
ALL_MONTHS = RuleDays(bymonth=tuple(range(1, 13)))


@pytest.mark.parametrize("year", [2023, 2024, 2100])
def test_without_a_condition_a_year_has_all_its_days_and_no_more(year: int) -> None:
    assert RuleDays().day_mask(year) == ALL_MONTHS.day_mask(year)


def test_the_limit_of_a_search_is_included_backwards_only() -> None:
    day = dt.date(2024, 3, 1).toordinal()
    march = RuleDays(bymonth=(3,), bymonthday=(1,))
    assert first_day_from(march, day, day + 1) == first_day_from(march, day - 60, day + 1) == day
    assert first_day_from(march, day, day) is first_day_from(march, day - 60, day) is None
    assert last_day_until(march, day, day) == last_day_until(march, day + 300, day) == day
    assert last_day_until(march, day, day + 1) is last_day_until(march, day + 300, day + 1) is None
