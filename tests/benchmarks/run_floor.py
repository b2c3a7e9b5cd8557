"""The least that a run could cost: a Celery task and back, a fork of a warm process, four commits.

The commits: claimed, dispatched, started, finished. A worker imports this file for its task.
"""

from __future__ import annotations

import os
import uuid
from functools import lru_cache

import redis
from celery import current_app, shared_task

TASK_NAME = "tests.benchmarks.answer"
COMMITS = 4


@lru_cache
def client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url)


@shared_task(name=TASK_NAME, ignore_result=True)
def answer(key: str) -> None:
    """Report the execution of this task in the fastest way."""
    client(current_app.conf.broker_url).lpush(key, 1)


def round_trip(broker_url: str) -> None:
    """Send the task and wait for its result."""
    key = f"answer-{uuid.uuid4()}"
    current_app.send_task(TASK_NAME, (key,), ignore_result=True)
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
    """Change one row and commit it to disk."""
    from chroniker.models import JobState

    JobState.objects.filter(pk=job_id).update(retry_attempt=1)
