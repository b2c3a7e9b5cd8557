"""Close runs without a report of their worker: not started in time, lease expired, host gone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol
from uuid import UUID

from django.db.models import OuterRef, Q, Subquery

from chroniker.clock import jump_detection
from chroniker.clock.database_clock import NowPlus, database_now
from chroniker.conf import settings
from chroniker.lifecycle import host_runs
from chroniker.lifecycle.close import write_results_of_ended_runs
from chroniker.lifecycle.events import add_missing_output_events
from chroniker.lifecycle.notify import annotate_recipients, send_finished_signals
from chroniker.lifecycle.transactions import lock_rows, transactional
from chroniker.models import EVERY_HOST, OPEN_STATUSES, JobState, Lease, Run, Status
from chroniker.reasons import Code, Reason


class HostProcesses(Protocol):
    """The processes of one host's runs.

    ``has_lock_files``: a kernel lock file, not the lease, shows whether a run is alive.
    """

    @property
    def host(self) -> str: ...
    @property
    def has_lock_files(self) -> bool: ...
    def is_run_lock_held(self, run_id: UUID) -> bool | None: ...
    def kill_remaining_processes(self, run_id: UUID) -> Sequence[object]: ...


def expire_runs(limit: int, local_processes: HostProcesses | None = None) -> list[Run]:
    """CLAIMED → LOST past the start deadline; RUNNING → LOST when the lease ran out. Returns the runs that were closed.

    With lock files, a run of this host is lost at once when its lock is free, and it is never lost while the lock is
    held: the lease does not matter. If the run has no lock file (None), the lease decides. Remaining processes of a run
    of this host are killed before the run is closed; a run with processes that survive stays open. Runs whose row a
    fence has locked are left for the next tick. Of a run on every host, a child that has not started is lost as soon as
    its host is no longer live; the parent is closed with its last child. While the database's clock cannot be trusted
    nothing is closed.
    """
    overdue = Q(expires_at__lt=NowPlus(-settings.drift_allowance))
    lost: list[Run] = []
    if local_processes is not None and local_processes.has_lock_files:
        # Select the runs by the few leases: with a condition on runs alone, SQLite may read all past runs of this host.
        leased = Run.objects.filter(pk__in=Lease.objects.values("pk"))
        running = list(leased.filter(status=Status.RUNNING, host=local_processes.host).values_list("pk", flat=True))
        held = {run_id: local_processes.is_run_lock_held(run_id) for run_id in running}
        dead = [run_id for run_id in running if held[run_id] is False][:limit]
        lost = _close_runs_as_lost(_kill_remaining_processes(dead, local_processes), None) if dead else []
        overdue &= ~Q(pk__in=[run_id for run_id in running if held[run_id]])
    ids = list(Lease.objects.filter(overdue).order_by("expires_at").values_list("pk", flat=True)[:limit])
    if ids:
        lost += _close_runs_as_lost(
            ids if local_processes is None else _kill_remaining_processes(ids, local_processes), overdue
        )
    if ids := list(host_runs.leases_of_unstarted_children_on_dead_hosts().values_list("pk", flat=True)[:limit]):
        lost += _close_runs_as_lost(ids, Q(nonce=None), Code.HOST_GONE)
    send_finished_signals(lost)
    return lost


def _kill_remaining_processes(run_ids: list[UUID], local_processes: HostProcesses) -> list[UUID]:
    """Kill the remaining processes of these runs on this host; returns the runs without a process that survives.

    A run whose lock is held has a keeper: the keeper kills the processes by its own deadline. After a jump of the
    database's clock no process is killed, and these runs are not closed.
    """
    if jump_detection.read_clock().suspended_because:
        return []
    running = Run.objects.filter(pk__in=run_ids, status=Status.RUNNING, host=local_processes.host).values_list(
        "pk", flat=True
    )
    alive = {
        run_id
        for run_id in running
        if not local_processes.is_run_lock_held(run_id) and local_processes.kill_remaining_processes(run_id)
    }
    return [run_id for run_id in run_ids if run_id not in alive]


@transactional
def _close_runs_as_lost(
    run_ids: Collection[UUID], still_overdue: Q | None, code_of_claims: Code = Code.NOT_TAKEN
) -> list[Run]:
    job_ids = list(Run.objects.filter(pk__in=run_ids).values_list("job_id", flat=True))
    states = list(lock_rows(JobState.objects.filter(pk__in=job_ids), skip=True))
    held = Run.objects.filter(pk__in=run_ids, job_id__in=[state.pk for state in states])
    mine = list(lock_rows(held, skip=True).values_list("pk", flat=True))
    # Compare the time again while locking the leases to remove: a lease may have been renewed in between.
    leases = Lease.objects.filter(pk__in=mine)
    ids = set(
        lock_rows(leases.filter(still_overdue) if still_overdue else leases, skip=True).values_list("pk", flat=True)
    )
    # Check the clock after the locks: the wait for them may have been long. The tick has checked the clock before, but
    # it may have jumped since.
    if not ids or jump_detection.read_clock().suspended_because:
        return []
    closed = set(Run.objects.filter(pk__in=ids).exclude(status__in=OPEN_STATUSES).values_list("pk", flat=True))
    Lease.objects.filter(
        pk__in=closed
    ).delete()  # kept leases: the supervisors that waited for remaining processes have ended
    ids -= closed
    parents = set(Run.objects.filter(pk__in=ids, required_host=EVERY_HOST).values_list("pk", flat=True))
    ids -= parents
    Run.objects.filter(pk__in=ids, status=Status.CLAIMED).update(**Reason.of(code_of_claims).columns())
    Run.objects.filter(pk__in=ids, status=Status.RUNNING).update(
        **Reason.of(Code.LEASE).columns(), **_last_progress_columns()
    )
    Run.objects.filter(pk__in=ids).update(
        status=Status.LOST, finished_at=NowPlus(), uncounted_since=NowPlus(), redispatch_at=None
    )
    Lease.objects.filter(pk__in=ids).delete()
    lost = list(annotate_recipients(Run.objects.filter(pk__in=ids).select_related("job__group")))
    add_missing_output_events(lost, database_now())
    return write_results_of_ended_runs(states, lost, parents)


def _last_progress_columns() -> dict[str, Subquery]:
    lease = Lease.objects.filter(pk=OuterRef("pk"))
    return {name: Subquery(lease.values(name)[:1]) for name in ("total_parts", "total_parts_complete")}
