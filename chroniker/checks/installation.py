"""Requirements of the whole installation."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

DJANGO_CHRONIKER_DISTRIBUTION = "django-chroniker"


def check_installation(**kwargs: Any) -> list[CheckMessage]:
    """Reports E001, E011."""
    return [*_check_time_zones(), *_check_django_chroniker_absent()]


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


def _check_django_chroniker_absent() -> list[CheckMessage]:
    try:
        version = metadata.version(DJANGO_CHRONIKER_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return []
    return [
        Error(
            f"{DJANGO_CHRONIKER_DISTRIBUTION} {version} is installed, too; both distributions contain a package named "
            "chroniker.",
            hint=f"Run: pip uninstall {DJANGO_CHRONIKER_DISTRIBUTION}. "
            "Then install django-chroniker-celery again: files may be missing.",
            id="chroniker.E011",
        )
    ]
