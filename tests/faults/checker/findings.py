"""What was counted."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Query = Callable[[str], Sequence[Sequence[Any]]]


@dataclass
class Findings:
    """``figures``: what was counted; ``examples``: a few of each kind of violation."""

    goals: Sequence[str]
    figures: dict[str, float] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def count(self, figure: str, what: Iterable[str]) -> None:
        found = list(what)
        self.figures[figure] = len(found)
        if found:
            self.examples[figure] = found[:5]

    @property
    def violations(self) -> dict[str, float]:
        """The kinds of violations that were counted."""
        return {goal: self.figures[goal] for goal in self.goals if self.figures[goal]}

    @property
    def clean(self) -> bool:
        return not self.violations


def run_key(pk: object) -> str:
    """A run's id, however a driver writes it."""
    return str(pk).replace("-", "")


def to_datetime(value: Any) -> dt.datetime:
    """As the driver gives it: SQLite text, MariaDB without a zone."""
    found = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value))
    return found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)
