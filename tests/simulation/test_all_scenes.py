"""The long part of the simulation: every scene, every removed safeguard. ``make nightly`` runs it."""

from __future__ import annotations

import pytest

from tests.simulation import mutations
from tests.simulation.test_simulation import simulate

pytest.importorskip("greenlet")
pytestmark = pytest.mark.nightly


def test_every_scene_keeps_all_promises_at_every_place() -> None:
    done = simulate("--explore", "all")
    assert done.returncode == 0, done.stdout + done.stderr


def test_many_random_histories_keep_all_promises() -> None:
    done = simulate("--seeds", "1000:1200")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", mutations.NAMES)
def test_each_removed_safeguard_is_found(name: str) -> None:
    done = simulate("--mutate", name, "--explore", mutations.scenes_of(name))
    assert done.returncode == 0, done.stdout + done.stderr
