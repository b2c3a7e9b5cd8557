"""The task that executes runs. Its message names a claimed run, never a command.

Every process of the project loads this module; only workers load ``delivery``.
"""

from __future__ import annotations

from typing import Any

from celery import shared_task

from chroniker_celery.exceptions import RunFailed
from chroniker_celery.publish import TASK_NAME
from chroniker_celery.results import RunTask


@shared_task(
    bind=True,
    base=RunTask,
    name=TASK_NAME,
    throws=(RunFailed,),  # logged as one line
    acks_late=False,
    reject_on_worker_lost=False,
    retry_on_worker_lost=False,
    track_started=False,
    ignore_result=False,
)
def execute(self: RunTask, *words: Any, **named: Any) -> dict[str, Any]:
    """Execute the run that this message names, if it is still claimed. Returns when the run has ended.

    A refused delivery (a duplicate, a forged or an outdated message) is *ignored*: it writes nothing to the result
    backend, where the live run's result belongs. A successful run ends the task as SUCCESS with a small dict. Any other
    end is FAILURE with the exception ``RunFailed``, which carries the same dict.
    """
    from chroniker_celery import delivery  # late, see above; a worker loads it before its pool forks

    return delivery.execute_delivery(self.request, words, named)
