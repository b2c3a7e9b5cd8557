"""The only writer of ``Run.status``, ``Lease`` and ``JobState``.

Each move is one conditional UPDATE that names the old state; zero updated rows mean that another process was first. A
claim or a close locks JobState first; only a claim for a group with a limit locks that group before. Lock order
everywhere: Group, JobState, Job, Run, Lease, Activation, each by id. A backfill is only changed while its job's
JobState is locked.

Belongs here: every change of a run's state, a lease or a job state, and the events about it. Does not belong here:
rules whether a job may run (``eligibility``), handing runs to executors (``executors``), and loops (``scheduler``).
"""

from chroniker.lifecycle.activations import end_waiting_activations_of_jobs
from chroniker.lifecycle.adoption import adopt_jobs, stop_all_claimed_runs
from chroniker.lifecycle.alert_mutes import mute, unmute
from chroniker.lifecycle.alert_watch import (
    record_pause_by_settings,
    schedule_alert_checks_after_changes,
    set_lateness_start_to_now,
    update_due_alerts,
)
from chroniker.lifecycle.backfills import add_backfill, cancel_backfill, fail_backfill, make_backfill_retry_due_now
from chroniker.lifecycle.booking import book_next_instants, is_host_local_error, suspend_schedule
from chroniker.lifecycle.claim import claim
from chroniker.lifecycle.clock_jump import reset_deadlines_after_clock_jump
from chroniker.lifecycle.close import Outcome, cancel_unstarted_runs, finish, release_kept_lease
from chroniker.lifecycle.deletion import delete_jobs, find_jobs_to_delete
from chroniker.lifecycle.dispatch_state import (
    record_actual_queues,
    record_dispatch_failures,
    record_dispatched,
    record_wait_for_required_host,
    reserve_claims_for_redispatch,
)
from chroniker.lifecycle.events import add_run_event
from chroniker.lifecycle.expiry import expire_runs
from chroniker.lifecycle.holds import resume_jobs
from chroniker.lifecycle.hourly_counts import add_closed_runs_to_counters
from chroniker.lifecycle.imported_history import create_state_with_reserved_tokens, insert_imported_runs
from chroniker.lifecycle.monitor_counts import record_monitor_count
from chroniker.lifecycle.pending_retries import cancel_retry, make_retry_due_now
from chroniker.lifecycle.planned_rows import Plan
from chroniker.lifecycle.renewal import renew
from chroniker.lifecycle.start import StartedRun, record_executed_argv, start
from chroniker.lifecycle.stop import request_stop, request_stops
from chroniker.lifecycle.transactions import wait_for_state_locks

__all__ = [
    "Outcome",
    "Plan",
    "StartedRun",
    "add_backfill",
    "add_closed_runs_to_counters",
    "add_run_event",
    "adopt_jobs",
    "book_next_instants",
    "cancel_backfill",
    "cancel_retry",
    "cancel_unstarted_runs",
    "claim",
    "create_state_with_reserved_tokens",
    "delete_jobs",
    "end_waiting_activations_of_jobs",
    "expire_runs",
    "fail_backfill",
    "find_jobs_to_delete",
    "finish",
    "insert_imported_runs",
    "is_host_local_error",
    "make_backfill_retry_due_now",
    "make_retry_due_now",
    "mute",
    "record_actual_queues",
    "record_dispatch_failures",
    "record_dispatched",
    "record_executed_argv",
    "record_monitor_count",
    "record_pause_by_settings",
    "record_wait_for_required_host",
    "release_kept_lease",
    "renew",
    "request_stop",
    "request_stops",
    "reserve_claims_for_redispatch",
    "reset_deadlines_after_clock_jump",
    "resume_jobs",
    "schedule_alert_checks_after_changes",
    "set_lateness_start_to_now",
    "start",
    "stop_all_claimed_runs",
    "suspend_schedule",
    "unmute",
    "update_due_alerts",
    "wait_for_state_locks",
]
