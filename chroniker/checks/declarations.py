"""Jobs declared in code. This imports modules of all apps, so it has its own tag and does not run before each tick."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error

from chroniker.declared.loading import load_declared_jobs


def check_declarations(**kwargs: Any) -> list[CheckMessage]:
    """Reports E020."""
    hint = "Fix it. Until then, sync_jobs and migrate do not change any declared job."
    return [Error(str(problem), hint=hint, id="chroniker.E020") for problem in load_declared_jobs()[1]]
