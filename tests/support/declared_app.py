"""An app whose jobs and commands a test writes."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from django.core.management import CommandError, call_command

from tests.support.processes import with_settings


@dataclass
class Shop:
    """An app whose code a test writes. It is installed while the test runs."""

    name: str
    root: Path

    def jobs(self, source: str) -> None:
        """Write its ``jobs.py``; an empty text removes what was declared there."""
        self._write("jobs.py", f"import chroniker\n{dedent(source)}")

    def command(self, name: str, source: str) -> None:
        """Write a management command; ``source`` stands before the class."""
        body = "class Command(BaseCommand):\n    def handle(self, **options):\n        pass\n"
        head = "import chroniker\nfrom django.core.management.base import BaseCommand\n"
        self._write(f"management/commands/{name}.py", f"{head}{dedent(source).strip()}\n{body}")

    def write(self, path: str, source: str) -> None:
        self._write(path, dedent(source))

    def _write(self, path: str, source: str) -> None:
        from django.core.management import get_commands

        file = self.root / self.name / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
        self.forget()
        get_commands.cache_clear()  # type: ignore[attr-defined]  # the stubs do not know that it is cached

    def forget(self) -> None:
        """Import its modules again next time."""
        for module in [each for each in sys.modules if each.split(".")[0] == self.name and each != self.name]:
            del sys.modules[module]
        importlib.invalidate_caches()

    def sync(self, *words: str) -> str:
        """``manage.py sync_jobs``: what it printed; the error's text at the end, if it fails."""
        out, refused = io.StringIO(), ""
        with suppress(CommandError):
            try:
                call_command("sync_jobs", *words, stdout=out, skip_checks=True)
            except CommandError as error:
                refused = f"ERROR: {error}"
                raise
        return out.getvalue() + refused

    def env(self, env: Mapping[str, str]) -> dict[str, str]:
        """For processes in which this app is installed too."""
        from django.conf import settings

        path = os.pathsep.join([str(self.root), env["PYTHONPATH"]])
        return with_settings({**env, "PYTHONPATH": path}, INSTALLED_APPS=settings.INSTALLED_APPS)
