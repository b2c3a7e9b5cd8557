"""The long part of the simulation: every scene, pairs, PostgreSQL, every removed safeguard. For ``make nightly``."""

from __future__ import annotations

import pytest

from tests.simulation import mutations
from tests.simulation.test_simulation import simulate

pytest.importorskip("greenlet")
#: Scenes whose transactions wait for each other's rows.
RACES = (
    "two-ticks,edit,dependency,group-limit,retry,pause,disable,run-now,doubled-message,"
    "fence-against-expiry,finish-against-expiry,stop-against-finish"
)
PAIRS = ("two-ticks", "edit", "dependency", "group-limit", "doubled-message", "finish-against-expiry")
pytestmark = pytest.mark.nightly


def test_every_scene_keeps_all_promises_at_every_place() -> None:
    done = simulate("--explore", "all")
    assert done.returncode == 0, done.stdout + done.stderr


def test_many_random_histories_keep_all_promises() -> None:
    done = simulate("--seeds", "1000:1200")
    assert done.returncode == 0, done.stdout + done.stderr


def test_races_keep_all_promises_with_the_locks_of_postgresql() -> None:
    done = simulate("--postgres", "--explore", RACES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_random_histories_on_postgresql_repeat_and_keep_all_promises() -> None:
    done = simulate("--postgres", "--seeds", "0:40", "--replay")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("scene", PAIRS)
def test_two_interruptions_of_two_processes_keep_all_promises(scene: str) -> None:
    done = simulate("--explore", scene, "--pairs")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", mutations.NAMES)
def test_each_removed_safeguard_is_found(name: str) -> None:
    done = simulate(*mutations.options_of(name))
    assert done.returncode == 0, done.stdout + done.stderr
