"""The work of each peer: it does nothing, and reports the time of its start. Also a Django app, for commands."""

from __future__ import annotations

import os
import time
from functools import lru_cache
from typing import Any

import redis

STARTS = "starts"


@lru_cache
def client() -> redis.Redis:
    return redis.Redis.from_url(f"{os.environ['PEER_REDIS']}/9")


def report_start(*args: Any, **kwargs: Any) -> None:
    client().rpush(STARTS, time.time())
