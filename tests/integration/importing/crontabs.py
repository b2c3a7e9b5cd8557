"""Imports of a crontab."""

from __future__ import annotations

import io
from pathlib import Path

from django.core.management import call_command

from chroniker.models import Job


def printed(text: str, tmp_path: Path, *words: str, zone: str = "UTC") -> str:
    path = tmp_path / "crontab"
    path.write_text(text)
    out = io.StringIO()
    call_command("import_crontab", str(path), "--timezone", zone, *words, stdout=out)
    return out.getvalue()


def imported(text: str, tmp_path: Path, *words: str) -> Job:
    printed(text, tmp_path, *words)
    return Job.objects.get()
