"""How a host evaluates its readings of the database clock."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from chroniker.clock import clock_state
from chroniker.clock.clock_state import ClockObservation, ClockState, compute_next_state
from chroniker.process.kernel import boot_clock, boot_id

#: The database clock minus the boot clock in these tests.
OFFSET = 1_000_000.0
LEASE = 60.0
#: A fiftieth of the lease and a second.
DRIFT = 2.2


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path) -> Iterator[Path]:
    with override_settings(CHRONIKER_LOCK_TIMEOUT=LEASE, CHRONIKER_RUNTIME_DIR=tmp_path / "run"):
        yield tmp_path / "run"


def seen(at: float, jump: float = 0.0, *, took: float = 0.01, server: str | None = "a:1") -> ClockObservation:
    return ClockObservation(OFFSET + at + jump + took / 2, at, at + took, server)


def test_the_first_reading_is_accepted() -> None:
    memory = compute_next_state(None, seen(100.0, jump=12345.0))
    assert (memory.seen, memory.server, memory.until) == (100.0, "a:1", 0.0)


@pytest.mark.parametrize(("jump", "why"), [(3600.0, "jumped ahead by 3600 s"), (-3600.0, "went back by 3600 s")])
def test_a_jump_suspends_starts_for_one_lease_and_the_drift_allowance(jump: float, why: str) -> None:
    memory = compute_next_state(compute_next_state(None, seen(100.0)), seen(110.0, jump))
    assert why in str(memory.reason)
    assert memory.until == pytest.approx(110.01 + LEASE + DRIFT)
    assert memory.unsettled


def test_a_jump_is_detected_once() -> None:
    first = compute_next_state(compute_next_state(None, seen(100.0)), seen(110.0, 3600.0))
    assert compute_next_state(first, seen(120.0, 3600.0)).until == first.until


def test_a_second_jump_restarts_the_hold_off() -> None:
    first = compute_next_state(compute_next_state(None, seen(100.0)), seen(110.0, 3600.0))
    assert compute_next_state(first, seen(120.0)).until == pytest.approx(120.01 + LEASE + DRIFT)


@pytest.mark.parametrize("jump", [2.1, -2.1])
def test_a_difference_within_the_drift_allowance_is_not_a_jump(jump: float) -> None:
    assert compute_next_state(compute_next_state(None, seen(100.0)), seen(110.0, jump)).until == 0.0


def test_the_drift_allowance_grows_with_the_time_between_readings() -> None:
    assert compute_next_state(compute_next_state(None, seen(100.0)), seen(3700.0, 5.0)).until == 0.0


def test_the_drift_allowance_never_exceeds_the_safety_margin_of_a_lease() -> None:
    assert compute_next_state(compute_next_state(None, seen(100.0)), seen(1_000_000.0, 13.0)).until > 0.0


def test_a_slow_response_is_not_a_jump() -> None:
    memory = compute_next_state(None, seen(100.0))
    late = ClockObservation(OFFSET + 110.0, 110.0, 170.0, "a:1")  # read at once, but the response came a minute later
    assert compute_next_state(memory, late).until == 0.0
    assert compute_next_state(memory, late) == memory, "nor is it worth remembering"


def test_a_jump_is_detected_despite_slow_responses() -> None:
    memory = compute_next_state(None, seen(100.0, took=8.0))
    assert compute_next_state(memory, seen(110.0, 60.0, took=8.0)).until > 0.0


def test_a_reading_older_than_the_last_is_ignored() -> None:
    memory = compute_next_state(compute_next_state(None, seen(100.0)), seen(110.0, 3600.0))
    assert compute_next_state(memory, seen(105.0)) is memory


def test_another_server_suspends_starts() -> None:
    memory = compute_next_state(compute_next_state(None, seen(100.0)), seen(110.0, server="a:2"))
    assert "standby" in str(memory.reason)
    assert memory.until > 110.0 + LEASE


@pytest.mark.parametrize("server", ["", None])
def test_an_unknown_server_is_not_another_server(server: str | None) -> None:
    assert compute_next_state(compute_next_state(None, seen(100.0)), seen(110.0, server=server)).until == 0.0
    assert compute_next_state(compute_next_state(None, seen(100.0, server=server)), seen(110.0)).until == 0.0


def test_a_reading_without_a_server_keeps_the_known_server() -> None:
    assert compute_next_state(compute_next_state(None, seen(100.0)), seen(110.0, server=None)).server == "a:1"


def a_memory() -> ClockState:
    return ClockState(boot_id(), boot_clock(), OFFSET, OFFSET, "a:1")


def test_a_written_state_can_be_read(runtime: Path) -> None:
    clock_state.write_clock_state(a_memory())
    (file,) = runtime.iterdir()
    assert clock_state.read_clock_state() is not None
    assert (file.stat().st_mode & 0o777, runtime.stat().st_mode & 0o777) == (0o600, 0o700)


def test_each_reading_is_of_the_latest_state(runtime: Path) -> None:
    for server in ("a:1", "b:2", "c:3"):
        clock_state.write_clock_state(dataclasses.replace(a_memory(), server=server))
        found = [clock_state.read_clock_state() for _each in range(2)]
        assert [each.server for each in found if each] == [server] * 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"boot": 1}', "null"])
def test_an_invalid_state_file_is_ignored(runtime: Path, text: str) -> None:
    clock_state.write_clock_state(a_memory())
    next(runtime.iterdir()).write_text(text)
    assert clock_state.read_clock_state() is None


def test_a_state_of_an_earlier_boot_is_ignored(runtime: Path) -> None:
    clock_state.write_clock_state(dataclasses.replace(a_memory(), boot="another"))
    assert clock_state.read_clock_state() is None
    clock_state.write_clock_state(dataclasses.replace(a_memory(), seen=boot_clock() + 3600))
    assert clock_state.read_clock_state() is None, (
        "without a boot id of the system, a smaller boot clock shows a new boot"
    )


def test_a_symbolic_link_is_not_followed(runtime: Path, tmp_path: Path) -> None:
    clock_state.write_clock_state(a_memory())
    file = next(runtime.iterdir())
    (tmp_path / "elsewhere").write_text(json.dumps(dataclasses.asdict(a_memory())))
    file.unlink()
    file.symlink_to(tmp_path / "elsewhere")
    assert clock_state.read_clock_state() is None


def test_an_unwritable_directory_stores_no_state_and_raises_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with override_settings(CHRONIKER_RUNTIME_DIR=tmp_path / "file"):
        clock_state.write_clock_state(a_memory())
        assert clock_state.read_clock_state() is None


def test_no_temporary_file_is_left_behind(runtime: Path) -> None:
    for _each in range(3):
        clock_state.write_clock_state(a_memory())
    assert len(list(runtime.iterdir())) == 1


def test_a_reading_overtaken_by_a_newer_one_is_evaluated() -> None:
    """The clock was ahead at this reading, and correct again at a later reading that returned first."""
    memory = compute_next_state(None, seen(110.0))
    assert compute_next_state(memory, seen(109.9)) is memory
    judged = compute_next_state(memory, seen(109.9, 3600.0))
    assert judged.until == pytest.approx(109.91 + LEASE + DRIFT)
    assert judged.high == memory.high, "the later reading is still stored"
    assert compute_next_state(judged, seen(109.9, 3600.0)) is judged


def test_a_host_asleep_for_longer_than_a_lease_rejects_the_jump_after_waking() -> None:
    woke = 109.0 + 2 * LEASE
    jumped = ClockObservation(OFFSET + 109.0 + 3600.0, 109.0, woke, "a:1")
    for latest in (seen(100.0), seen(110.0)):
        assert compute_next_state(compute_next_state(None, latest), jumped).until == pytest.approx(woke + LEASE + DRIFT)
