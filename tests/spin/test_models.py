"""The models, searched through by SPIN: every order of steps, deaths and delays within their bounds."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

#: By model: the safeguards that can be removed.
SAFEGUARDS = {
    "lease": ("NO_MARGIN", "NO_KEEPER", "NO_CAS", "EARLY"),
    "lock_file": ("NO_SWEEP", "NO_INHERITED_LOCK", "LATE_LOCK", "NO_DEADLINE"),
    "keeper_lock": ("NO_REQUEST", "FILES_FIRST", "LEFT_PROCESSES", "CLOSE_FIRST"),
    "clock_jump": ("NO_SUSPENSION", "SHORT_SUSPENSION", "JUDGED_ONCE", "NO_CUT"),
    "every_host": ("NO_LOCK", "NO_EXTENSION"),
    "group_limit": ("NO_LOCK", "COUNT_FIRST"),
    "fence": ("PLAIN_READ", "NO_LOCK", "EXPIRY_IGNORES_LOCKS"),
}
#: Models whose search takes longer than their compilation.
LARGE = ("clock_jump",)


def search(directory: Path, model: str, *options: str, optimised: bool) -> str:
    """The report of SPIN's verifier about the model. ``optimised`` compiles longer, for a long search."""
    spin, compiler = shutil.which("spin"), shutil.which("gcc") or shutil.which("cc")
    if spin is None or compiler is None:
        pytest.skip("spin, or a C compiler, is not installed here")
    for command in (
        [spin, "-a", *options, str(Path(__file__).with_name(f"{model}.pml"))],
        [compiler, "-O2" if optimised else "-O0", "-DSAFETY", "-DCOLLAPSE", "-w", "-o", "pan", "pan.c"],
    ):
        subprocess.run(command, cwd=directory, check=True, capture_output=True)
    done = subprocess.run([directory / "pan", "-m200000"], cwd=directory, check=False, capture_output=True, text=True)
    return done.stdout


@pytest.mark.parametrize("model", SAFEGUARDS)
def test_no_order_of_events_violates_the_model(tmp_path: Path, model: str) -> None:
    report = search(tmp_path, model, optimised=model in LARGE)
    assert "errors: 0" in report, report
    assert "search depth too small" not in report
    assert "Search not completed" not in report


@pytest.mark.parametrize(("model", "safeguard"), [(model, each) for model in SAFEGUARDS for each in SAFEGUARDS[model]])
def test_without_one_of_its_safeguards_an_order_is_found(tmp_path: Path, model: str, safeguard: str) -> None:
    assert "assertion violated" in search(tmp_path, model, f"-D{safeguard}", optimised=False)
