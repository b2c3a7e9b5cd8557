"""The steps of a new installation until its first job runs. There are none once a run exists."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import Enum

from chroniker.conf import settings
from chroniker.insights.fleet import is_any_ticking
from chroniker.models import HostService, Job, Run, Ticker

#: Processes that tick, the latest first.
MAX_TICKERS_READ = 20


class SetupStep(Enum):
    """The steps, in their order."""

    DATABASE = "database"
    TICK = "tick"
    WORKER = "worker"
    JOB = "job"


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """``done``: the completed steps."""

    done: frozenset[SetupStep]
    ticked_before: bool = False  #: a process has ticked, but not recently

    @property
    def remaining_steps(self) -> list[SetupStep]:
        return [step for step in SetupStep if step not in self.done]


def fetch_first_steps(now: dt.datetime) -> FirstSteps | None:
    """``None`` if a run exists. Executes one statement in this case, otherwise four."""
    if Run.objects.exists():
        return None
    tickers = list(Ticker.objects.order_by("-last_at")[:MAX_TICKERS_READ])
    done = {SetupStep.DATABASE}
    if is_any_ticking(tickers, now):
        done.add(SetupStep.TICK)
    if HostService.objects.filter(last_seen__gt=now - settings.host_timeout).exists():
        done.add(SetupStep.WORKER)
    if Job.objects.exists():
        done.add(SetupStep.JOB)
    return FirstSteps(frozenset(done), bool(tickers))
