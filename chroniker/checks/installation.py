"""Requirements of the whole installation."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

ORIGINAL_PACKAGE = "django-chroniker"


def check_installation(**kwargs: Any) -> list[CheckMessage]:
    """Reports E001, E011."""
    return [*_check_time_zones(), *_check_original_absent()]


def _check_time_zones() -> list[CheckMessage]:
    if settings.USE_TZ:
        return []
    return [
        Error(
            "USE_TZ is False: scheduled times would have no time zone.",
            hint="Set USE_TZ = True.",
            id="chroniker.E001",
        )
    ]


def _check_original_absent() -> list[CheckMessage]:
    try:
        version = metadata.version(ORIGINAL_PACKAGE)
    except metadata.PackageNotFoundError:
        return []
    return [
        Error(
            f"{ORIGINAL_PACKAGE} {version} is installed, too; both distributions contain a package named chroniker.",
            hint=f"Run: pip uninstall {ORIGINAL_PACKAGE}. "
            "Then install django-chroniker-celery again: files may be missing.",
            id="chroniker.E011",
        )
    ]
