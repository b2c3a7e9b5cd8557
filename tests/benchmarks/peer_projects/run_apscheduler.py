"""APScheduler 3 with its store of jobs in PostgreSQL, and two threads. With the argument ``fill``: only the jobs."""

from __future__ import annotations

import datetime as dt
import pickle
import sys

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.interval import IntervalTrigger
from plan import AT, DAY, DUE, FAR, POSTGRES_PORT

store = SQLAlchemyJobStore(url=f"postgresql+psycopg://postgres@127.0.0.1:{POSTGRES_PORT}/postgres")
scheduler = BlockingScheduler(
    jobstores={"default": store}, executors={"default": ThreadPoolExecutor(2)}, timezone="UTC"
)


def row(number: int, at: dt.datetime) -> dict[str, object]:
    """As ``add_job`` would write it, one transaction each."""
    job = Job(
        scheduler, id=f"job {number}", trigger=IntervalTrigger(days=1, timezone="UTC"), func="work:report_start",
        args=(), kwargs={}, executor="default", misfire_grace_time=None, coalesce=True, max_instances=1, name="job",
        next_run_time=at,
    )  # fmt: skip
    state = pickle.dumps(job.__getstate__(), store.pickle_protocol)
    return {"id": job.id, "next_run_time": at.timestamp(), "job_state": state}


if "fill" in sys.argv:
    store.start(scheduler, "default")
    upcoming = [*[dt.datetime.now(dt.UTC) + DAY] * FAR, *[AT] * DUE]
    with store.engine.begin() as connection:
        connection.execute(store.jobs_t.insert(), [row(number, at) for number, at in enumerate(upcoming)])
else:
    scheduler.start()
