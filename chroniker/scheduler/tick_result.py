"""What one pass did."""

from __future__ import annotations

from dataclasses import dataclass, field

from chroniker.models import Run


@dataclass(slots=True)
class TickResult:
    """What one pass did."""

    claimed: list[Run] = field(default_factory=list)
    lost: list[Run] = field(default_factory=list)
    dispatched: int = 0
    booked: int = 0
    suspended_because: str = ""  #: why it expired and claimed nothing
    lost_races: set[int] = field(default_factory=set)  #: jobs for this host that another claimer was quicker with
