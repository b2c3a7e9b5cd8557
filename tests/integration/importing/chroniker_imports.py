"""Imports of django-chroniker's jobs."""

from __future__ import annotations

import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

from django.core.management import call_command

from chroniker.importing.candidate import ImportCandidate
from chroniker.importing.django_chroniker.importer import import_jobs
from chroniker.importing.django_chroniker.jobs import ImportOptions
from chroniker.importing.django_chroniker.source import DumpSource

#: After the logs in the fixtures, before the first scheduled time of their jobs.
NOW = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)


def printed(*words: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("import_chroniker", *words, stdout=out, **options)
    return out.getvalue()


def imported(path: Path, now: dt.datetime = NOW, **options: Any) -> dict[str, ImportCandidate]:
    found = import_jobs(DumpSource(str(path)), ImportOptions(now, **options), by="a test")
    return {candidate.job.name: candidate for candidate in found.values()}


def a_dump(tmp_path: Path, *jobs: dict[str, Any]) -> Path:
    objects = [
        {"model": "chroniker.job", "pk": pk, "fields": {"command": "noop", "frequency": "DAILY", **fields}}
        for pk, fields in enumerate(jobs, start=1)
    ]
    path = tmp_path / "dump.json"
    path.write_text(json.dumps(objects))
    return path
