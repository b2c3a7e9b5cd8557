"""``manage.py`` of the test project as a process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import ManagementCommand, with_settings


@dataclass(frozen=True)
class Manage:
    """``manage.py`` of the test project, on this test's database."""

    env: Mapping[str, str]
    directory: Path

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "django", *words],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def process(self, name: str, *words: str) -> ManagementCommand:
        """A command to be started with ``with``, to which signals can be sent."""
        return ManagementCommand(name, *words, env=self.env, directory=self.directory)

    def having(self, **settings: object) -> Manage:
        return Manage(with_settings(self.env, **settings), self.directory)
