"""The schedulers that are compared: how each is installed, filled and started, and what it does for a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WORKER = (
    "-m",
    "celery",
    "-A",
    "celery_app",
    "worker",
    "--concurrency",
    "2",
    "--loglevel",
    "WARNING",
    "--without-mingle",
    "--without-gossip",
)
FILL = ("-m", "django", "peer_fill")


@dataclass(frozen=True, slots=True)
class Peer:
    """``packages`` are installed into an environment of its own; none: the one that runs the benchmark.

    ``fill`` and ``processes``: arguments of Python, in the folder ``peer_projects``.
    """

    name: str
    packages: Sequence[str]
    fill: Sequence[str]
    processes: Sequence[Sequence[str]]
    does: str
    apps: str = ""
    shown: Sequence[str] = ()  #: packages whose versions are shown


def _beat(scheduler: str) -> list[str]:
    words = ["--loglevel", "WARNING", "--pidfile", "", "--schedule", "/dev/null"]
    return ["-m", "celery", "-A", "celery_app", "beat", "--scheduler", scheduler, *words]


PEERS = (
    Peer(
        "this project", (), (*FILL, "fill_this_project"), (WORKER, _beat("chroniker_celery.beat:Scheduler")),
        "a process tree of its own for each run, with lease, keeper, timeout, stored output, result, history of the "
        "schedule; any number of beats",
        apps="chroniker chroniker_celery", shown=("django-chroniker-celery",),
    ),
    Peer(
        "django-celery-beat", ("django-celery-beat", "celery[redis]", "psycopg[binary]"), (*FILL, "fill_celery_beat"),
        (WORKER, _beat("django_celery_beat.schedulers:DatabaseScheduler")),
        "a Celery task in the pool's process; no guard against a second beat or a second instance; no output, no "
        "record of the run here (a result backend would add one)",
        apps="django_celery_beat", shown=("django-celery-beat", "celery"),
    ),
    Peer(
        "redbeat", ("celery-redbeat", "celery[redis]"), ("fill_redbeat.py",),
        (WORKER, _beat("redbeat.RedBeatScheduler")),
        "a Celery task in the pool's process; a lock against a second beat; schedules in Redis; no output, no "
        "record of the run",
        shown=("celery-redbeat", "celery"),
    ),
    Peer(
        "django-q2", ("django-q2", "redis", "psycopg[binary]", "setuptools"), (*FILL, "fill_django_q"),
        (("-m", "django", "qcluster"),),
        "a function in a worker process, with timeout and a row for its result; looks for due schedules every 30 s; no "
        "output",
        apps="django_q", shown=("django-q2",),
    ),
    Peer(
        "APScheduler", ("APScheduler<4", "SQLAlchemy", "redis", "psycopg[binary]"), ("run_apscheduler.py", "fill"),
        (("run_apscheduler.py",),),
        "a function in a thread of the scheduler's process; one process only; no broker, no timeout, no output, no "
        "record of the run",
        shown=("APScheduler", "SQLAlchemy"),
    ),
    Peer(
        "procrastinate", ("procrastinate", "redis", "psycopg[binary]"), ("procrastinate_app.py",),
        (("-m", "procrastinate", "--app", "procrastinate_app.app", "worker", "--concurrency", "2"),),
        "a function in a thread of the worker; schedules are declared in code; each deferral is unique in the "
        "database; a row for its status; no timeout, no output",
        shown=("procrastinate",),
    ),
    Peer(
        "django-chroniker", ("django-chroniker", "redis", "psycopg[binary]"), (*FILL, "fill_chroniker"),
        (("each_minute.py",),),
        "a process for each due job, all at once; output and result in a row; cron starts it once a minute; a lease by "
        "the clock of the host",
        apps="chroniker", shown=("django-chroniker",),
    ),
)  # fmt: skip
