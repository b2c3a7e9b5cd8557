"""The model of claim, lease and keeper, searched through: every order of steps, deaths and delays within its bounds."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

MODEL = Path(__file__).with_name("lease.pml")
SAFEGUARDS = ("NO_MARGIN", "NO_KEEPER", "NO_CAS", "EARLY")


def search(directory: Path, *options: str) -> str:
    """What SPIN's verifier says of the model."""
    spin, compiler = shutil.which("spin"), shutil.which("gcc") or shutil.which("cc")
    if spin is None or compiler is None:
        pytest.skip("spin, or a C compiler, is not installed here")
    for command in (
        [spin, "-a", *options, str(MODEL)],
        [compiler, "-O1", "-DSAFETY", "-DCOLLAPSE", "-w", "-o", "pan", "pan.c"],
    ):
        subprocess.run(command, cwd=directory, check=True, capture_output=True)
    done = subprocess.run([directory / "pan", "-m200000"], cwd=directory, check=False, capture_output=True, text=True)
    return done.stdout


def test_no_order_of_events_gives_two_instances_or_two_starts(tmp_path: Path) -> None:
    said = search(tmp_path)
    assert "errors: 0" in said
    assert "search depth too small" not in said
    assert "Search not completed" not in said


@pytest.mark.parametrize("safeguard", SAFEGUARDS)
def test_without_one_of_its_safeguards_an_order_is_found(tmp_path: Path, safeguard: str) -> None:
    assert "assertion violated" in search(tmp_path, f"-D{safeguard}")
