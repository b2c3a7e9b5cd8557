"""The least that a run could cost: a Celery task and back, a fork of a warm process, four commits.

The commits: claimed, dispatched, started, finished. A worker imports this file for its task.
"""

from __future__ import annotations

import os
import uuid
from functools import lru_cache

import redis
from celery import current_app, shared_task

TASK = "tests.benchmarks.answer"
COMMITS = 4


@lru_cache
def client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url)


@shared_task(name=TASK, ignore_result=True)
def answer(key: str) -> None:
    """Say that this task was executed, in the fastest way there is."""
    client(current_app.conf.broker_url).lpush(key, 1)


def round_trip(broker_url: str) -> None:
    """Send that task, and wait for its answer."""
    key = f"answer-{uuid.uuid4()}"
    current_app.send_task(TASK, (key,), ignore_result=True)
    if client(broker_url).blpop([key], timeout=60) is None:
        raise AssertionError("the worker does not answer")


def fork() -> None:
    """A process with Django in it forks; the child calls a command that does nothing, and ends."""
    from django.core.management import call_command

    child = os.fork()
    if child == 0:
        try:
            call_command("noop")
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def commit(job_id: int) -> None:
    """One row changed, and on the disk."""
    from chroniker.models import JobState

    JobState.objects.filter(pk=job_id).update(retry_attempt=1)
