"""The time zone and the manage.py of this machine: an import assumes that the crontab is of this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.timezone import get_default_timezone_name

LOCALTIME_FILE = Path("/etc/localtime")


def machine_time_zone() -> str:
    """The time zone of this machine, which cron uses. The project's, if it cannot be found."""
    _before, found, name = str(LOCALTIME_FILE.resolve()).partition("zoneinfo/")
    try:
        return ZoneInfo(name).key if found else get_default_timezone_name()
    except (KeyError, ValueError):
        return get_default_timezone_name()


def own_manage_files(more_paths: Sequence[str] = ()) -> set[Path]:
    """The resolved paths that are this project's manage.py."""
    places = [Path.cwd() / "manage.py", Path(sys.argv[0])]
    if base := getattr(settings, "BASE_DIR", None):
        places.append(Path(base) / "manage.py")
    here = {place.resolve() for place in places if place.name == "manage.py"}
    return here | {Path(name).resolve() for name in more_paths}
