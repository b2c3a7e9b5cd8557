from __future__ import annotations

import dataclasses
import datetime as dt
from statistics import mean

import pytest

from chroniker.schedule import DstFold, DstGap, Frequency, ScheduleSpec, jitter
from tests.unit.schedule.samples import utc

BASE = {
    "CRON": ScheduleSpec("CRON", cron="0 3 * * *"),
    "DAILY": ScheduleSpec("DAILY", params="byhour:3"),
    "ONCE": ScheduleSpec("ONCE", run_at=utc(2026, 1, 1)),
}
CHANGES: dict[str, object] = {
    "frequency": "WEEKLY",
    "cron": "0 4 * * *",
    "params": "byhour:4",
    "run_at": utc(2026, 1, 2),
    "starts_at": utc(2026, 1, 2),
    "ends_at": utc(2026, 1, 2),
    "timezone": "Asia/Tokyo",
    "dst_gap": "SKIP",
    "dst_fold": "BOTH",
}
IGNORED = {
    "CRON": {"params", "run_at"},
    "DAILY": {"cron", "run_at"},
    "ONCE": {"cron", "params", "timezone", "dst_gap", "dst_fold"},
}


@pytest.mark.parametrize("kind", BASE)
@pytest.mark.parametrize("field", CHANGES)
def test_the_fingerprint_changes_with_each_relevant_field(kind: str, field: str) -> None:
    spec = BASE[kind]
    changed = dataclasses.replace(spec, **{field: CHANGES[field]})  # type: ignore[arg-type]
    assert (changed.fingerprint() == spec.fingerprint()) is (field in IGNORED[kind])


def test_equal_values_have_equal_fingerprints() -> None:
    plain = ScheduleSpec("CRON", cron="0 3 * * *", starts_at=utc(2026, 1, 1), dst_gap="RUN", dst_fold="FIRST")
    other = ScheduleSpec(
        Frequency.CRON,
        cron="0 3 * * *",
        starts_at=dt.datetime(2026, 1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))),
        dst_gap=DstGap.RUN,
        dst_fold=DstFold.FIRST,
    )
    found = plain.fingerprint()
    ScheduleSpec.fingerprint.cache_clear()  # as in another process: equal specs share the value in the cache
    assert other.fingerprint() == found
    assert len(found) == 32


def test_an_invalid_spec_has_a_fingerprint() -> None:
    assert ScheduleSpec("", cron="\ud800", starts_at=dt.datetime(2026, 1, 1)).fingerprint()


def test_a_start_without_a_zone_is_not_read_in_the_zone_of_this_host() -> None:
    """The tests run in UTC: read as local time, both would have one fingerprint, and the correction none of its own."""
    naive, corrected = (ScheduleSpec("DAILY", starts_at=at) for at in (dt.datetime(2026, 1, 1), utc(2026, 1, 1)))
    assert naive.fingerprint() != corrected.fingerprint()


def test_the_jitter_of_a_job_is_constant_and_within_its_span() -> None:
    assert jitter(42, 600) == jitter(42, 600) == jitter("42", 600)
    assert jitter(42, 0) == dt.timedelta()
    assert all(dt.timedelta() <= jitter(n, 7) < dt.timedelta(seconds=7) for n in range(500))


def test_an_upgrade_does_not_change_the_jitter_of_a_job() -> None:
    assert jitter(42, 600) == dt.timedelta(seconds=205, microseconds=556378)


@pytest.mark.parametrize("step", [1, 2, 60, 600, 1024])
def test_the_jitter_is_evenly_distributed(step: int) -> None:
    offsets = [jitter(n * step, 600).total_seconds() for n in range(3000)]
    assert 280 < mean(offsets) < 320
    for slot in range(10):
        assert 220 < sum(slot * 60 <= offset < slot * 60 + 60 for offset in offsets) < 380
