"""A time of day that is wrong, for one process or server: by PyPI's ``libfaketime``, where it is installed."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping
from pathlib import Path


def library() -> Path | None:
    """What is to be loaded before the C library. Found, not imported."""
    spec = importlib.util.find_spec("libfaketime")
    if spec is None or spec.origin is None:
        return None
    return next(Path(spec.origin).parent.glob("vendor/libfaketime/src/libfaketime.so*"), None)


class WrongClock:
    """Right at first. ``set`` moves the time of day of all that were started with ``environ``, within a second.

    Monotonic clocks stay as they are, as when somebody sets a host's clock.
    """

    def __init__(self, directory: Path) -> None:
        """``directory`` must be readable to whom the processes run as."""
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
        """Variables to add for processes that are to believe it; what they start will believe it too."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, seconds: float) -> None:
        """By how much it is ahead of the true time from now on."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+f}s\n")
        new.chmod(0o644)
        new.replace(self._file)
