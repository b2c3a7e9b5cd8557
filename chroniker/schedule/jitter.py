"""Fixed delays that spread the starts of jobs with the same instant."""

from __future__ import annotations

import datetime as dt
import hashlib


def jitter(job_id: int | str, jitter_seconds: float) -> dt.timedelta:
    """The delay of this job: always the same, in [0, ``jitter_seconds``), evenly distributed over jobs.

    Uses a hash instead of ``id % span``, because jobs with the same schedule often have regularly spaced ids.
    """
    digest = hashlib.blake2b(str(job_id).encode(), digest_size=8).digest()
    span = int(jitter_seconds * 1_000_000)
    return dt.timedelta(microseconds=int.from_bytes(digest) * max(span, 0) >> 64)
