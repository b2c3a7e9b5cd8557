"""What ``manage.py doctor`` reports."""

from __future__ import annotations

import io
import json

from django.core.management import call_command

from chroniker.management.diagnosis import FindingLevel


def doctor(*words: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("doctor", "--timeout", "60", *words, stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


def findings(level: FindingLevel) -> list[tuple[str, str]]:
    """The findings of this level as (about, text). No finding has a higher level."""
    status, out = doctor("--json")
    assert status == level, out
    found = [json.loads(line) for line in out.splitlines()]
    return [(each["about"], each["text"]) for each in found if each["level"] == level.name]
