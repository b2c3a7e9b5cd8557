"""Jobs declared in code. Under a tag of its own: this imports modules, which commands of every minute should not."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error

from chroniker.declared.loading import load_declared_jobs


def check_declarations(**kwargs: Any) -> list[CheckMessage]:
    """E020."""
    hint = "Mend it; until then neither sync_jobs nor migrate changes any declared job."
    return [Error(str(problem), hint=hint, id="chroniker.E020") for problem in load_declared_jobs()[1]]
