"""Spreading jobs that share an instant."""

from __future__ import annotations

import datetime as dt
import hashlib


def jitter(job_id: int | str, jitter_seconds: float) -> dt.timedelta:
    """This job's share of a span of seconds: always the same, in [0, ``jitter_seconds``), spread evenly over jobs.

    A hash rather than the id's remainder: ids that are created together are often used together, with the same step.
    """
    digest = hashlib.blake2b(str(job_id).encode(), digest_size=8).digest()
    span = int(jitter_seconds * 1_000_000)
    return dt.timedelta(microseconds=int.from_bytes(digest) * max(span, 0) >> 64)
