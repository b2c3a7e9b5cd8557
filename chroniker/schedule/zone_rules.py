"""The version of the time zone database that this process uses."""

from __future__ import annotations

import importlib
import zoneinfo
from functools import cache
from pathlib import Path


@cache
def zone_rules_version() -> str:
    """Like "2025b"; empty where it cannot be found out. Versions compare as text.

    That of the system's files, or else of the package ``tzdata``, in the order in which ``zoneinfo`` looks for zones.
    Read once: a process keeps the rules that it started with.
    """
    for folder in zoneinfo.TZPATH:
        try:
            with (Path(folder) / "tzdata.zi").open(encoding="utf-8") as file:
                return file.readline().removeprefix("# version").strip()[:16]
        except OSError:
            continue
    try:
        return str(importlib.import_module("tzdata").IANA_VERSION)[:16]
    except (ImportError, AttributeError):
        return ""
