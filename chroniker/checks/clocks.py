"""Live hosts with a wrong clock. Queries the database, so only with ``--database``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Warning
from django.db import DatabaseError
from django.db.models import Q

from chroniker.clock.database_clock import NowPlus
from chroniker.conf import settings
from chroniker.eligibility import hosts
from chroniker.models import Host

MAX_NAMES_PER_MESSAGE = 10


def check_clocks(*, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Reports W011."""
    if settings.database not in (databases or ()):
        return []
    off = Q(clock_skew_seconds__gt=hosts.CLOCK_SKEW_WARNING_SECONDS) | Q(
        clock_skew_seconds__lt=-hosts.CLOCK_SKEW_WARNING_SECONDS
    )
    try:
        known = Host.objects.filter(off, last_seen__gt=NowPlus(-hosts.HOST_SILENT_AFTER))
        wrong = list(known.order_by("name")[:MAX_NAMES_PER_MESSAGE])
    except DatabaseError:  # migrate runs these checks before the tables exist
        return []
    return [
        Warning(
            f"The clock of the host “{host.name}” differs from the database's clock by "
            f"{host.clock_skew_seconds:+.1f} s.",
            hint="Synchronize it with NTP. Schedules do not depend on it, but its commands and logs show wrong times.",
            id="chroniker.W011",
        )
        for host in wrong
    ]
