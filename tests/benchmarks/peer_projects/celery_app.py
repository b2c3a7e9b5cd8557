"""The Celery app of the peers that use Celery."""

from __future__ import annotations

from celery import Celery
from plan import REDIS
from work import report_start

app = Celery("peer", broker=f"{REDIS}/0")
app.conf.task_ignore_result = True
app.conf.redbeat_redis_url = f"{REDIS}/1"
app.conf.broker_connection_retry_on_startup = True
app.autodiscover_tasks()
app.task(report_start, name="peer.noop")
