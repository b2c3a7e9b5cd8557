"""A wrong time of day for one process or server, by ``libfaketime`` where it is installed."""

from __future__ import annotations

import datetime as dt
import importlib.util
import shutil
from collections.abc import Mapping
from pathlib import Path


def library() -> Path | None:
    """The library to load before the C library. Found, not imported."""
    spec = importlib.util.find_spec("libfaketime")
    if spec is None or spec.origin is None:
        return None
    return next(Path(spec.origin).parent.glob("vendor/libfaketime/src/libfaketime.so*"), None)


class WrongClock:
    """The right time at first. ``set`` changes it within a second for all processes started with ``environ``.

    Monotonic clocks stay as they are, as when a user sets the clock of a host.
    """

    def __init__(self, directory: Path) -> None:
        """The user of the processes must be able to read ``directory``."""
        found = library()
        assert found is not None, "libfaketime is not installed"
        directory.mkdir(mode=0o755)
        self._library = Path(shutil.copy(found, directory))
        self._library.chmod(0o755)
        self._file = directory / "offset"
        self.set(0)

    @staticmethod
    def available() -> bool:
        return library() is not None

    def environ(self) -> Mapping[str, str]:
        """Environment variables for processes that use this clock; their child processes inherit it."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, seconds: float) -> None:
        """Set how far it is ahead of the true time."""
        self._write(f"{seconds:+f}s")

    def freeze(self, moment: dt.datetime) -> None:
        """Stop it at this moment, in whole seconds of UTC. The processes must run with ``TZ=UTC``."""
        self._write(f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}")

    def _write(self, text: str) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{text}\n")
        new.chmod(0o644)
        new.replace(self._file)
