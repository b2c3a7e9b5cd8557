from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pytest

from chroniker.schedule.zones import offset_at, stretches, zone
from tests.unit.schedule.samples import CHANGES, ZONES

HOUR = dt.timedelta(hours=1)


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("year", [2011, 2026])
def test_the_stretches_of_a_year_tile_it_and_have_the_offset_they_say(name: str, year: int) -> None:
    where = zone(name)
    found = stretches(where, year)
    assert found[0].start == dt.datetime(year, 1, 1)
    assert found[-1].end == dt.datetime(year + 1, 1, 1)
    assert all(
        one.end == other.start and one.after == other.offset for one, other in pairwise(found)
    )
    for stretch in found:
        moment = stretch.start
        while moment < stretch.end:
            assert offset_at(where, moment) == stretch.offset
            moment += 6 * HOUR
        assert offset_at(where, stretch.end) == stretch.after
        assert offset_at(where, stretch.start - dt.timedelta(seconds=1)) == stretch.before


@pytest.mark.parametrize("change", CHANGES[:-1], ids=lambda change: f"{change[0]}-{change[1]:%Y-%m}")
def test_the_changes_we_test_with_are_there(change: tuple[str, dt.datetime]) -> None:
    name, begin = change
    ends = [stretch.end for stretch in stretches(zone(name), begin.year)]
    assert any(begin < end < begin + dt.timedelta(days=1) for end in ends)


def test_a_change_at_new_year_is_seen_from_both_years() -> None:
    where = zone("Africa/Monrovia")  # one that really does, at midnight UTC: from local mean time, 1972-01-07 …
    assert stretches(where, 1971)[-1].after == stretches(where, 1972)[0].offset
    assert stretches(where, 1972)[0].before == stretches(where, 1971)[-1].offset
