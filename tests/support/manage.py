"""``manage.py`` of the test project, in a process of its own or in the process of the test."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from django.conf import settings
from django.core.management import execute_from_command_line
from django.test import override_settings

from tests.support.processes import SETTINGS_VARIABLE, ManagementCommand, with_settings


@dataclass(frozen=True)
class Manage:
    """``manage.py`` of the test project, on this test's database."""

    env: Mapping[str, str]
    directory: Path

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, as a process."""
        return subprocess.run(
            [sys.executable, "-m", "django", *words],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def in_process(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end in this process, with the settings and the environment of ``__call__``.

        For tests that are not about the process: Django's start costs more than most commands. Jobs still run in
        processes of their own.
        """
        from chroniker.executors import executors

        encoding = self.env.get("PYTHONIOENCODING", "utf-8")
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding, write_through=True) for _each in range(2))
        environment = patch.dict(os.environ, self.env, clear=True)
        executors.close()
        with self._settings(), environment, redirect_stdout(out), redirect_stderr(err):
            status = _exit_status(["manage.py", *words])
        executors.close()
        printed = (stream.buffer.getvalue().decode(encoding) for stream in (out, err))
        return subprocess.CompletedProcess(words, status, *printed)

    @contextmanager
    def _settings(self) -> Iterator[None]:
        """Those of a process: what a fixture overrides is not among them."""
        from tests import settings as module

        given = json.loads(self.env.get(SETTINGS_VARIABLE, "{}"))
        with override_settings(**given):
            for name in dir(settings):
                if name.startswith("CHRONIKER_") and name not in given and not hasattr(module, name):
                    delattr(settings, name)
            yield

    def process(self, name: str, *words: str) -> ManagementCommand:
        """A command to be started with ``with``, to which signals can be sent."""
        return ManagementCommand(name, *words, env=self.env, directory=self.directory)

    def having(self, **settings: object) -> Manage:
        return Manage(with_settings(self.env, **settings), self.directory)


def _exit_status(argv: list[str]) -> int:
    try:
        execute_from_command_line(argv)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
