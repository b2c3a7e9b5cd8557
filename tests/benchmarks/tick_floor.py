"""The least that a tick's work costs: the same rows by bare SQL, the next instants by our own step, bytes into Redis.

It reads only jobs that are due and enabled: no dependencies, no open or lost runs, no edits, no flags.
Whatever can be is prepared: every expression is parsed, the drivers are connected, the message is known but for its
ids. So it is cheaper than any tick that starts with a new process.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import redis
from django.db import transaction

from chroniker.clock.database_clock import database_now
from chroniker.models import JobState
from chroniker.models.base import uuid7
from chroniker.schedule import ScheduleSpec, next_instant_after
from tests.benchmarks import floor_sql
from tests.benchmarks.floor_sql import Wanted
from tests.benchmarks.measuring import Stopwatch

PARTS = ("find", "schedule", "write", "publish", "mark")
QUEUE = "celery"


class Floor:
    """``prepare`` is not timed; ``run`` is."""

    def __init__(self, broker_url: str, message: bytes | None) -> None:
        """``message``: one of the executor's, as it lies in Redis; without one nothing is published."""
        self._redis = redis.Redis.from_url(broker_url)
        self._message = None if message is None else json.loads(message)
        self._rules: dict[int, ScheduleSpec] = {}

    @property
    def publishes(self) -> bool:
        return self._message is not None

    def prepare(self, states: Sequence[JobState]) -> None:
        """Parse the schedules of these states' jobs."""
        self._rules = {state.pk: state.job.spec for state in states}
        for state in states:
            next_instant_after(self._rules[state.pk], state.next_instant or database_now())  # parses it
        self._redis.ping()

    def run(self, watch: Stopwatch) -> None:
        now = database_now()
        with transaction.atomic():
            found = floor_sql.find(now)
            watch.lap("find")
            wanted = [self._next(*row) for row in found]
            watch.lap("schedule")
            if wanted:
                floor_sql.write(wanted, now)
        watch.lap("write")
        self._publish(wanted)
        watch.lap("publish")
        if wanted:
            floor_sql.mark([each.run_id for each in wanted], now)
        watch.lap("mark")

    def _next(self, job_id: int, instant: dt.datetime, last_token: int) -> Wanted:
        instant = instant.replace(tzinfo=instant.tzinfo or dt.UTC)
        upcoming = next_instant_after(self._rules[job_id], instant)
        assert upcoming is not None  # the schedules of ``population`` do not end
        return Wanted(uuid7(), job_id, last_token + 1, instant, upcoming)

    def _publish(self, wanted: Sequence[Wanted]) -> None:
        if self._message is None or not wanted:
            return
        pipeline = self._redis.pipeline(transaction=False)
        for each in wanted:
            pipeline.lpush(QUEUE, _encoded(self._message, each.run_id, each.token))
        pipeline.execute()


def _encoded(message: dict[str, Any], run_id: UUID, token: int) -> str:
    key = str(run_id)
    body = [[key, token], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    headers = {**message["headers"], "id": key, "root_id": key, "argsrepr": f"('{key}', {token})"}
    properties = {**message["properties"], "correlation_id": key, "delivery_tag": key}
    encoded = base64.b64encode(json.dumps(body).encode()).decode()
    return json.dumps({**message, "body": encoded, "headers": headers, "properties": properties})
