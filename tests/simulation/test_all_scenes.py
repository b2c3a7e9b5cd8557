"""The long part of the simulation: every scene, pairs, PostgreSQL, every removed safeguard. For ``make nightly``."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.simulation import mutations
from tests.simulation.test_simulation import simulate

pytest.importorskip("greenlet")
#: Scenes whose transactions wait for each other's rows.
RACES = (
    "two-ticks,edit,dependency,group-limit,retry,pause,disable,run-now,doubled-message,"
    "fence-against-expiry,finish-against-expiry,stop-against-finish,stop-against-start,last-child,delete,"
    "edit-during-booking"
)
PAIRS = ("two-ticks", "edit", "dependency", "group-limit", "doubled-message", "finish-against-expiry")
#: Once: it has databases of its own.
pytestmark = [pytest.mark.nightly, pytest.mark.database("sqlite")]
HISTORIES, SECONDS_OF_HISTORIES = 20_000, 1500


def test_every_scene_keeps_all_promises_at_every_place() -> None:
    done = simulate("--explore", "all", seconds=SECONDS_OF_HISTORIES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_many_random_histories_keep_all_promises() -> None:
    """Other ones each night; a violation prints its seed."""
    first = dt.date.today().toordinal() * HISTORIES
    words = ("--seeds", f"{first}:{first + HISTORIES}", "--budget", str(SECONDS_OF_HISTORIES))
    done = simulate(*words, seconds=2 * SECONDS_OF_HISTORIES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_races_keep_all_promises_with_the_locks_of_postgresql() -> None:
    done = simulate("--postgres", "--explore", RACES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_random_histories_on_postgresql_repeat_and_keep_all_promises() -> None:
    done = simulate("--postgres", "--seeds", "0:40", "--replay")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("scene", PAIRS)
def test_two_interruptions_of_two_processes_keep_all_promises(scene: str) -> None:
    done = simulate("--explore", scene, "--pairs", seconds=SECONDS_OF_HISTORIES)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", mutations.NAMES)
def test_each_removed_safeguard_is_found(name: str) -> None:
    done = simulate(*mutations.options_of(name))
    assert done.returncode == 0, done.stdout + done.stderr
