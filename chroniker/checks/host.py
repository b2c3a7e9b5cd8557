"""This host: what its kernel must be able to do, and what makes each run start slowly."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, Warning

from chroniker.process.capabilities import missing_kernel_features
from chroniker.process.startup_threads import list_project_threads

MISSING_KERNEL_FEATURE_HINT = (
    "Run chroniker on a kernel that has it. Without it processes of a run could stay alive unnoticed."
)
STARTUP_THREADS_HINT = (
    "Start these threads later, for example at the first use, not while Django starts. Until then each run of a"
    " management command waits for a start of Django, and the processes use more memory."
)


def check_host(**kwargs: Any) -> list[CheckMessage]:
    """Reports E015, W013."""
    found: list[CheckMessage] = [
        Error(f"This kernel cannot guard runs: {each}.", hint=MISSING_KERNEL_FEATURE_HINT, id="chroniker.E015")
        for each in missing_kernel_features()
    ]
    if threads := list_project_threads():
        text = f"The project's start-up leaves threads running, so commands cannot be forked: {', '.join(threads)}."
        found.append(Warning(text, hint=STARTUP_THREADS_HINT, id="chroniker.W013"))
    return found
