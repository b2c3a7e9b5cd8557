"""Jobs on time, once, and seen: a scheduler for Django with at most one running instance per job."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Unpack
    from uuid import UUID

    from chroniker.command_api.fence import Fence
    from chroniker.declared.declaration import Declaration, JobFields
    from chroniker.models import Group, Job, Run

__version__ = "2.0.0.dev0"


def fence() -> AbstractContextManager[Fence]:
    """A transaction whose effects are committed under this run's lease, or not at all.

    Inside a command that a supervisor started: opens a transaction on the database that holds the runs, takes
    a shared lock on the run's row, and raises ``LeaseLost`` when the lease is gone. While the block is open
    nobody can declare the run lost and start its successor. Keep it short. Outside a run it is an ordinary
    transaction.

    Limit: it covers what is written to *that* database inside the block. For files and other services, send
    ``CHRONIKER_RUN_TOKEN`` along and let the receiver refuse a smaller one.
    """
    from chroniker.command_api.fence import Fence  # models need the app registry; this module is imported before it

    return Fence()


def needs_attention(records: int) -> bool:
    """Inside a command: so many records need attention. The list of monitors shows it.

    Notes the count on the run, and nothing else: to make the run a failure, and have its subscribers told, exit with a
    status other than 0. Returns whether it was noted; outside a run, and in one that was closed meanwhile, it is not.
    """
    from chroniker.command_api import attention

    return attention.report(records)


def run_now(job: Job, by: str, args: str | None = None) -> Run:
    """Run a job once, now. ``args``: in place of its own. Raises ``ClaimRefused`` where it may not run."""
    from chroniker.scheduler import manual_runs

    return manual_runs.run_now(job, by, args)


def stop(run_id: UUID | str, by: str) -> bool:
    """Ask a run to stop; whether it was open."""
    from chroniker.scheduler import stopping

    return stopping.stop(run_id, by)


def pause(by: str, reason: str = "", group: Group | None = None) -> bool:
    """Pause all jobs, or one group; whether that changed anything."""
    from chroniker.eligibility import pauses

    return pauses.pause(by, reason, group)


def resume(group: Group | None = None) -> bool:
    """Lift the pause over all jobs, or over one group; whether there was one."""
    from chroniker.eligibility import pauses

    return pauses.resume(group)


def job(**fields: Unpack[JobFields]) -> Declaration:
    """Declare a job: as a decorator of a management command's class, or as a name in an app's ``jobs.py``.

    ``manage.py sync_jobs``, and ``migrate``, bring it into the database. Takes the fields of a job by their names, and
    ``after=["name", …]``: the jobs it waits for. Nothing is looked at here; a system check names what is wrong.
    """
    from chroniker.declared.declaration import Declaration

    caller = sys._getframe(1)
    return Declaration(fields, f"{caller.f_code.co_filename}:{caller.f_lineno}")
