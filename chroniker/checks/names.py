"""Names of settings: misspelt ones, and those that django-chroniker had."""

from __future__ import annotations

import difflib
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning

from chroniker.conf import DEFAULTS

PREFIX = "CHRONIKER_"
#: Settings of the package chroniker_celery; it checks them itself.
ELSEWHERE = "CHRONIKER_CELERY_"

#: Settings of django-chroniker that nothing reads any more -> what to do instead.
OUTDATED = {
    "CHRONIKER_AUTO_END_STALE_JOBS": "Runs that nobody hears of any more are always closed, by every tick.",
    "CHRONIKER_JOB_NK": "A job is known by its name, which is unique.",
    "CHRONIKER_KILL_GRACE_SECONDS": "CHRONIKER_STOP_GRACE_SECONDS is its name now; the default is 10 s.",
    "CHRONIKER_LOG_FORMAT": "A command's log records go where LOGGING sends them; give its handler a formatter.",
    "CHRONIKER_PID_FN": "The lock of CHRONIKER_USE_PID is a file in CHRONIKER_RUNTIME_DIR.",
    "CHRONIKER_STALE_MINUTES": "CHRONIKER_LOCK_TIMEOUT, in seconds, says how long a silent run counts as alive.",
}


def check_names(**kwargs: Any) -> list[CheckMessage]:
    """W001, W002."""
    names = [name for name in dir(settings) if name.startswith(PREFIX) and not name.startswith(ELSEWHERE)]
    return [_outdated(name) if name in OUTDATED else _unknown(name) for name in names if name not in DEFAULTS]


def _outdated(name: str) -> Warning:
    return Warning(f"{name} has no effect any more.", hint=f"{OUTDATED[name]} Remove it.", id="chroniker.W002")


def _unknown(name: str) -> Warning:
    near = difflib.get_close_matches(name, DEFAULTS, n=1, cutoff=0.7)
    hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(sorted(DEFAULTS))}."
    return Warning(f"Nothing reads the setting {name}.", hint=hint, id="chroniker.W001")
