"""What a host makes of what it sees of the database's clock."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from chroniker.clock import clock_state
from chroniker.clock.clock_state import ClockState, Observation, next_state
from chroniker.process.kernel import boot_clock, boot_id

#: The database's clock minus the boot clock, as these tests have it.
OFFSET = 1_000_000.0
LEASE = 60.0
#: A fiftieth of the lease and a second.
DRIFT = 2.2


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path) -> Iterator[Path]:
    with override_settings(CHRONIKER_LOCK_TIMEOUT=LEASE, CHRONIKER_RUNTIME_DIR=tmp_path / "run"):
        yield tmp_path / "run"


def seen(at: float, jump: float = 0.0, *, took: float = 0.01, server: str | None = "a:1") -> Observation:
    return Observation(OFFSET + at + jump + took / 2, at, at + took, server)


def test_the_first_sight_is_believed() -> None:
    memory = next_state(None, seen(100.0, jump=12345.0))
    assert (memory.seen, memory.server, memory.until) == (100.0, "a:1", 0.0)


@pytest.mark.parametrize(("jump", "why"), [(3600.0, "jumped ahead by 3600 s"), (-3600.0, "went back by 3600 s")])
def test_a_jump_quiets_the_host_for_one_lease_and_what_clocks_may_drift(jump: float, why: str) -> None:
    memory = next_state(next_state(None, seen(100.0)), seen(110.0, jump))
    assert why in memory.why
    assert memory.until == pytest.approx(110.01 + LEASE + DRIFT)
    assert memory.unsettled


def test_a_jump_is_noticed_once() -> None:
    first = next_state(next_state(None, seen(100.0)), seen(110.0, 3600.0))
    assert next_state(first, seen(120.0, 3600.0)).until == first.until


def test_a_second_jump_begins_the_lease_anew() -> None:
    first = next_state(next_state(None, seen(100.0)), seen(110.0, 3600.0))
    assert next_state(first, seen(120.0)).until == pytest.approx(120.01 + LEASE + DRIFT)


@pytest.mark.parametrize("jump", [2.1, -2.1])
def test_what_clocks_may_drift_apart_is_no_jump(jump: float) -> None:
    assert next_state(next_state(None, seen(100.0)), seen(110.0, jump)).until == 0.0


def test_after_hours_without_a_sight_clocks_may_have_drifted_further() -> None:
    assert next_state(next_state(None, seen(100.0)), seen(3700.0, 5.0)).until == 0.0


def test_but_never_so_far_that_a_lease_ends_before_its_holder_gives_it_up() -> None:
    assert next_state(next_state(None, seen(100.0)), seen(1_000_000.0, 13.0)).until > 0.0


def test_a_slow_answer_is_no_jump() -> None:
    memory = next_state(None, seen(100.0))
    late = Observation(OFFSET + 110.0, 110.0, 170.0, "a:1")  # read at once, and the answer came a minute later
    assert next_state(memory, late).until == 0.0
    assert next_state(memory, late) == memory, "nor is it worth remembering"


def test_a_jump_is_seen_behind_slow_answers_too() -> None:
    memory = next_state(None, seen(100.0, took=8.0))
    assert next_state(memory, seen(110.0, 60.0, took=8.0)).until > 0.0


def test_what_was_seen_before_the_last_sight_says_nothing() -> None:
    memory = next_state(next_state(None, seen(100.0)), seen(110.0, 3600.0))
    assert next_state(memory, seen(105.0)) is memory


def test_another_server_quiets_the_host() -> None:
    memory = next_state(next_state(None, seen(100.0)), seen(110.0, server="a:2"))
    assert "standby" in memory.why
    assert memory.until > 110.0 + LEASE


@pytest.mark.parametrize("server", ["", None])
def test_a_server_that_cannot_be_told_is_none_other(server: str | None) -> None:
    assert next_state(next_state(None, seen(100.0)), seen(110.0, server=server)).until == 0.0
    assert next_state(next_state(None, seen(100.0, server=server)), seen(110.0)).until == 0.0


def test_nobody_asked_for_the_server_is_not_forgetting_it() -> None:
    assert next_state(next_state(None, seen(100.0)), seen(110.0, server=None)).server == "a:1"


def a_memory() -> ClockState:
    return ClockState(boot_id(), boot_clock(), OFFSET, OFFSET, "a:1")


def test_what_was_written_is_read(runtime: Path) -> None:
    clock_state.write(a_memory())
    (file,) = runtime.iterdir()
    assert clock_state.read() is not None
    assert (file.stat().st_mode & 0o777, runtime.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"boot": 1}', "null"])
def test_nonsense_is_no_memory(runtime: Path, text: str) -> None:
    clock_state.write(a_memory())
    next(runtime.iterdir()).write_text(text)
    assert clock_state.read() is None


def test_a_boot_forgets(runtime: Path) -> None:
    clock_state.write(dataclasses.replace(a_memory(), boot="another"))
    assert clock_state.read() is None
    clock_state.write(dataclasses.replace(a_memory(), seen=boot_clock() + 3600))
    assert clock_state.read() is None, "where the system has no name for a boot, its clock began anew"


def test_a_link_is_not_followed(runtime: Path, tmp_path: Path) -> None:
    clock_state.write(a_memory())
    file = next(runtime.iterdir())
    (tmp_path / "elsewhere").write_text(json.dumps(dataclasses.asdict(a_memory())))
    file.unlink()
    file.symlink_to(tmp_path / "elsewhere")
    assert clock_state.read() is None


def test_a_directory_that_cannot_be_written_leaves_no_memory_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with override_settings(CHRONIKER_RUNTIME_DIR=tmp_path / "file"):
        clock_state.write(a_memory())
        assert clock_state.read() is None


def test_a_draft_is_not_left_behind(runtime: Path) -> None:
    for _each in range(3):
        clock_state.write(a_memory())
    assert len(list(runtime.iterdir())) == 1


def test_a_sight_that_another_one_overtook_is_judged_too() -> None:
    """It was ahead when asked for, and right again for who asked later and was quicker."""
    memory = next_state(None, seen(110.0))
    assert next_state(memory, seen(109.9)) is memory
    judged = next_state(memory, seen(109.9, 3600.0))
    assert judged.until == pytest.approx(109.91 + LEASE + DRIFT)
    assert judged.high == memory.high, "what was seen later is still what is remembered"
    assert next_state(judged, seen(109.9, 3600.0)) is judged


def test_who_was_asleep_for_longer_than_a_lease_does_not_believe_the_jump_that_it_wakes_to() -> None:
    woke = 109.0 + 2 * LEASE
    jumped = Observation(OFFSET + 109.0 + 3600.0, 109.0, woke, "a:1")
    for latest in (seen(100.0), seen(110.0)):
        assert next_state(next_state(None, latest), jumped).until == pytest.approx(woke + LEASE + DRIFT)
