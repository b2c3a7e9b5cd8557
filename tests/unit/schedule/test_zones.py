from __future__ import annotations

import datetime as dt
import sys
import zoneinfo
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chroniker.schedule.zone_suggestions import unknown_zone_message, zone_names
from chroniker.schedule.zones import offset_at, offset_periods, zone, zone_rules_version
from tests.unit.schedule.samples import CHANGES, ZONES

HOUR = dt.timedelta(hours=1)


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("year", [2011, 2026])
def test_stretches_cover_the_year_with_correct_offsets(name: str, year: int) -> None:
    where = zone(name)
    found = offset_periods(where, year)
    assert found[0].start == dt.datetime(year, 1, 1)
    assert found[-1].end == dt.datetime(year + 1, 1, 1)
    assert all(one.end == other.start and one.offset_after == other.offset for one, other in pairwise(found))
    for period in found:
        moment = period.start
        while moment < period.end:
            assert offset_at(where, moment) == period.offset
            moment += 6 * HOUR
        assert offset_at(where, period.end) == period.offset_after
        assert offset_at(where, period.start - dt.timedelta(seconds=1)) == period.offset_before


@pytest.mark.parametrize("change", CHANGES[:-1], ids=lambda change: f"{change[0]}-{change[1]:%Y-%m}")
def test_the_sample_clock_changes_exist(change: tuple[str, dt.datetime]) -> None:
    name, begin = change
    ends = [period.end for period in offset_periods(zone(name), begin.year)]
    assert any(begin < end < begin + dt.timedelta(days=1) for end in ends)


class MovesAtNewYear(dt.tzinfo):
    """No real zone did this at midnight UTC since 1970, but the result must not depend on it."""

    def utcoffset(self, moment: dt.datetime | None) -> dt.timedelta:
        assert moment is not None
        return HOUR if moment.replace(tzinfo=None) < dt.datetime(2026, 1, 1, 1) else 3 * HOUR

    def dst(self, moment: dt.datetime | None) -> dt.timedelta:
        return dt.timedelta()

    def tzname(self, moment: dt.datetime | None) -> str:
        return "moving"

    def fromutc(self, moment: dt.datetime) -> dt.datetime:
        return moment + (HOUR if moment.replace(tzinfo=None) < dt.datetime(2026, 1, 1) else 3 * HOUR)


def test_a_change_at_new_year_is_found_from_both_years() -> None:
    where: Any = MovesAtNewYear()
    (old,), (new,) = offset_periods(where, 2025), offset_periods(where, 2026)
    assert (old.offset, old.offset_after) == (HOUR, 3 * HOUR)
    assert (new.offset_before, new.offset) == (HOUR, 3 * HOUR)


@pytest.mark.parametrize("hours", [-13, -12, -1, 1, 14, 15])
def test_an_offset_is_answered_with_its_fixed_zone_if_there_is_one(hours: int) -> None:
    fixed = f"Etc/GMT{-hours:+}"
    message = unknown_zone_message(f"UTC{hours:+}")
    assert ("Etc/" in message) is (f"“{fixed}”" in message) is (fixed in zone_names())
    if fixed in zone_names():
        assert offset_at(zone(fixed), dt.datetime(2026, 1, 1)) == hours * HOUR


@pytest.mark.parametrize(
    ("file", "package", "version"),
    [
        ("# version 2025b\n# more\n", "2024a", "2025b"),
        (None, "2024a", "2024a"),
        ("# version 2025b-1234567890\n", "2024a", "2025b-1234567890"),
        ("# version 2025b-1234567890-more\n", "2024a", "2025b-1234567890"),
        (None, "2024a-1234567890-more", "2024a-1234567890"),
        (None, None, ""),
    ],
)
def test_the_version_of_the_rules_is_that_of_the_system_or_else_of_the_package(
    file: str | None, package: str | None, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if file is not None:
        (tmp_path / "tzdata.zi").write_text(file)
    monkeypatch.setitem(sys.modules, "tzdata", SimpleNamespace(IANA_VERSION=package) if package else None)
    zoneinfo.reset_tzpath(to=[str(tmp_path / "nowhere"), str(tmp_path)])
    try:
        assert zone_rules_version.__wrapped__() == version
    finally:
        zoneinfo.reset_tzpath()
