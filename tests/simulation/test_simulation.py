"""A short part of the simulation, before each merge; ``python -m tests.simulation --help`` is the long one.

It runs in processes of its own: the seams replace clocks and connections for the whole Python process.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.simulation import mutations, removals
from tests.support import ROOT

pytest.importorskip("greenlet")

#: Also on a machine that is busy with other tests.
SECONDS = 1800
#: Those that find most of the removed safeguards in the shortest time. All of them at night: ``test_all_scenes``.
SCENES = (
    "two-ticks,edit,dependency,doubled-message,late-message,lost-message,jump-of-a-claim,cut,clock-jump,"
    "finish-against-expiry,killed-guards,lock-file-unseen,survivor,zone-rules,zone-missing,edit-by-slow-clock,"
    "trigger-by-replaced-retry,drain,start-after-jump,dependency-on-retry,last-child,forged-message,survivor-alone,"
    "timeout,drain-after-run"
)


def simulate(*words: str, seconds: float = SECONDS) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )


@pytest.mark.before_merge
def test_random_histories_keep_all_promises() -> None:
    done = simulate("--seeds", "0:8", "--budget", "20")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "histories in" in done.stdout


@pytest.mark.before_merge
def test_seeds_that_once_had_a_violation_have_none() -> None:
    done = simulate("--saved")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.before_merge
def test_the_same_seed_gives_the_same_history_in_two_processes() -> None:
    first, second = (simulate("--seeds", "9", "--digests", *words) for words in (["--replay"], []))
    digests = [[line for line in done.stdout.splitlines() if line[:1] == "9"] for done in (first, second)]
    assert len(digests[0]) == 1, first.stdout + first.stderr
    assert digests[0] == digests[1]


@pytest.mark.before_merge
def test_short_scenes_keep_all_promises_at_every_place() -> None:
    done = simulate("--explore", SCENES)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.before_merge
def test_a_removed_safeguard_is_found() -> None:
    done = simulate("--mutate", "start-too-late", "--explore", mutations.scenes_of("start-too-late"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "start deadline" in done.stdout


@pytest.mark.parametrize("name", removals.REPLACEMENTS)
def test_each_mutation_changes_what_the_source_has_today(name: str) -> None:
    for file, old, new in mutations.changes(name):
        source = (ROOT / "chroniker" / file).read_text()
        assert mutations.mutated(name, source, old, new) != source


def test_each_mutation_is_found_by_a_scene_or_is_explained() -> None:
    assert {name for name in mutations.NAMES if not mutations.scenes_of(name)} == set(mutations.NOT_FOUND)


def test_the_documentation_names_the_scenes_that_find_each_removal() -> None:
    """The table is between two comments; `documented` makes it."""
    page = (ROOT / "docs" / "reliability.md").read_text()
    table = page.partition("<!-- removals -->")[2].partition("<!-- /removals -->")[0]
    assert table.strip() == mutations.documented(SCENES.split(","))
