"""The program ``chroniker-alive``, as a probe starts it: without settings, variables or Django."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import ROOT


@contextmanager
def short_directory() -> Iterator[Path]:
    """A runtime directory of its own; paths of sockets must be short."""
    with tempfile.TemporaryDirectory(prefix="chroniker-") as directory:
        yield Path(directory) / "r"


def status_of(kind: str, directory: Path, max_age: float) -> int:
    """0: alive. 1: not."""
    program = [sys.executable, "-S", str(ROOT / "bin" / "chroniker-alive"), kind, "--max-age", str(max_age)]
    done = subprocess.run(
        [*program, "--runtime-dir", str(directory)], env={}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode in (0, 1) and bool(done.stderr) == bool(done.returncode), done
    return done.returncode
