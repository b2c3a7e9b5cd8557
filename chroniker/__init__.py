"""A job scheduler for Django: jobs start on time, and each has at most one running instance.

The functions in ``__all__`` are the public interface. They import other modules when they are called, so that this
package can be imported before Django's app registry is ready.

Belongs here: modules that all folders use (settings, exceptions, reasons, signals). Everything else has a folder.
Does not belong here: code that needs Celery (``chroniker_celery``).
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from typing import Unpack
    from uuid import UUID

    from chroniker.command_api.fence import Fence
    from chroniker.declared.declaration import Declaration, JobFields
    from chroniker.models import Activation, Backfill, Group, Job, Run
    from chroniker.process.run_variables import CurrentRun

__all__ = [
    "backfill",
    "current_run",
    "fence",
    "job",
    "needs_attention",
    "pause",
    "resume",
    "run_now",
    "stop",
    "trigger",
]

__version__ = "2.0.0.dev0"


def current_run() -> CurrentRun | None:
    """The run that this process is part of: its job, its scheduled times, its attempt. ``None`` outside a run.

    Reads the environment (``CHRONIKER_…``) and nothing else.
    """
    from chroniker.command_api import current

    return current.current_run()


def fence() -> AbstractContextManager[Fence]:
    """A transaction that commits only while this run holds its lease.

    For code inside a command that a supervisor started. Opens a transaction on the database that holds the runs and
    takes a shared lock on the run's row. Raises ``LeaseLost`` when the lease is gone. While the block is open, no
    process can close the run as lost and start its successor. Keep the block short. Outside a run it is an ordinary
    transaction.

    Limit: it protects only writes to *that* database inside the block. For files and other services, send
    ``CHRONIKER_RUN_TOKEN`` with each request and let the receiver reject a smaller token.
    """
    from chroniker.command_api.fence import Fence

    return Fence()


def needs_attention(records: int) -> bool:
    """Record that this many records need attention. For code inside a command; the list of monitors shows the number.

    Writes the number to the run and nothing else. To fail the run and notify its subscribers, exit with a status other
    than 0. Returns whether the number was written. Outside a run, and for a closed run, it is not written.
    """
    from chroniker.command_api import monitor_report

    return monitor_report.record_attention_count(records)


def run_now(job: Job, by: str, args: str | None = None, scheduled_for: dt.datetime | None = None) -> Run:
    """Claim a run of this job now, whatever its schedule. Returns the run.

    ``by`` is recorded as the person or program that started it. ``args`` replaces the job's arguments for this run.
    ``scheduled_for`` is the time that the command gets as its scheduled time, instead of now; it needs a time zone.
    Raises ``ClaimRefused`` when the job may not run now, with the reason.
    """
    from chroniker.scheduler import requests

    return requests.run_now(job, by, args, scheduled_for)


def backfill(
    job: Job,
    first: dt.datetime,
    last: dt.datetime,
    by: str,
    *,
    which: str = "NOT_SUCCEEDED",
    include_unknown: bool = False,
    on_failure: str = "GO_ON",
    args: str | None = None,
    note: str = "",
) -> Backfill:
    """Run this job for its past scheduled times from ``first`` to ``last``, both included, one after the other.

    ``which``: "NOT_SUCCEEDED", "NOT_RUN" or "ALL". Times of which no run is stored are left out unless
    ``include_unknown``. ``on_failure``: "GO_ON", or "STOP" after the first run that fails with all its retries.
    ``args`` replaces the job's arguments for these runs. ``by`` is recorded as the person or program that requested it.
    Raises ``BackfillRefused`` with the reason. Returns the backfill; ticks claim its runs.
    """
    from chroniker.scheduler import backfilling, requests

    wish = backfilling.BackfillRequest(job, first, last, which, include_unknown, on_failure, args, note)
    return requests.request_backfill(wish, by)


def trigger(
    job: Job | str | int,
    key: str | None = None,
    instant: dt.datetime | None = None,
    args: Sequence[str] | None = None,
    by: str = "",
) -> Activation:
    """Request a run of this job (or the job with this name or id) in the transaction of the caller.

    The request is rolled back with that transaction, and waits after its commit until the job may run: also while the
    job is running or paused. A second call with the same ``key`` changes nothing and returns the first request.
    ``instant`` is the time that the command gets as its scheduled time, instead of now. ``args`` are words in place
    of the job's arguments. Raises ``EventRefused`` with the reason.
    """
    from chroniker.models import Job
    from chroniker.scheduler import events

    found = job if isinstance(job, Job) else Job.from_name_or_id(str(job))
    return events.trigger(found, key, instant, args, by)


def stop(run_id: UUID | str, by: str) -> bool:
    """Request a stop of this run. Returns whether the run was open; does not wait for its end.

    ``by`` is recorded as the person or program that requested it.
    """
    from chroniker.scheduler import requests

    return requests.stop(run_id, by)


def pause(by: str, reason: str = "", group: Group | None = None) -> bool:
    """Pause all jobs, or the jobs of one group. Returns whether that changed anything. Open runs continue."""
    from chroniker.scheduler import requests

    return requests.pause(by, reason, group)


def resume(by: str, group: Group | None = None) -> bool:
    """End the pause of all jobs, or of one group. Returns whether there was one. ``by`` is recorded in the audit."""
    from chroniker.scheduler import requests

    return requests.resume(by, group)


def job(**fields: Unpack[JobFields]) -> Declaration:
    """Declare a job in code: a decorator of a management command's class, or an assignment in an app's ``jobs.py``.

    ``manage.py sync_jobs`` and ``migrate`` write it to the database. Takes the fields of a job by name, and
    ``after=["name", …]``: the jobs it depends on; ``triggered_by={"name": "SUCCEEDED", …}``: the jobs whose end starts
    it ("FAILED", "ENDED"). The fields are validated by a system check, not here.
    """
    from chroniker.declared.declaration import Declaration

    caller = sys._getframe(1)
    return Declaration(fields, f"{caller.f_code.co_filename}:{caller.f_lineno}")
