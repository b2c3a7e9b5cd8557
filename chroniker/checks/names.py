"""Names of settings: unknown ones, and those of django-chroniker."""

from __future__ import annotations

import difflib
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning

from chroniker.conf import DEFAULTS

SETTING_PREFIX = "CHRONIKER_"
#: Settings of the package chroniker_celery, which checks them itself, and the targets and secrets of channels.
UNCHECKED_SETTING_PREFIXES = ("CHRONIKER_CELERY_", "CHRONIKER_CHANNEL_")

#: Settings of django-chroniker that have no effect here, each with its replacement.
OUTDATED_SETTINGS = {
    "CHRONIKER_AUTO_END_STALE_JOBS": "Every tick closes runs whose worker has disappeared.",
    "CHRONIKER_JOB_NK": "A job is identified by its name, which is unique.",
    "CHRONIKER_KILL_GRACE_SECONDS": "Its name is now CHRONIKER_STOP_GRACE_SECONDS; the default is 10 s.",
    "CHRONIKER_LOG_FORMAT": "Log records of commands go to the handlers of LOGGING; set a formatter there.",
    "CHRONIKER_PID_FN": "The lock of CHRONIKER_USE_PID is a file in CHRONIKER_RUNTIME_DIR.",
    "CHRONIKER_STALE_MINUTES": "CHRONIKER_LOCK_TIMEOUT is the time, in seconds, until a silent run is lost.",
}


def check_setting_names(**kwargs: Any) -> list[CheckMessage]:
    """Reports W001, W002."""
    names = [
        name
        for name in dir(settings)
        if name.startswith(SETTING_PREFIX) and not name.startswith(UNCHECKED_SETTING_PREFIXES)
    ]
    return [
        _outdated_setting_warning(name) if name in OUTDATED_SETTINGS else _unknown_setting_warning(name)
        for name in names
        if name not in DEFAULTS
    ]


def _outdated_setting_warning(name: str) -> Warning:
    return Warning(
        f"{name} no longer has an effect.", hint=f"{OUTDATED_SETTINGS[name]} Remove it.", id="chroniker.W002"
    )


def _unknown_setting_warning(name: str) -> Warning:
    near = difflib.get_close_matches(name, DEFAULTS, n=1, cutoff=0.7)
    hint = f"Did you mean {near[0]}?" if near else f"Known settings: {', '.join(sorted(DEFAULTS))}."
    return Warning(f"The setting {name} is unknown.", hint=hint, id="chroniker.W001")
