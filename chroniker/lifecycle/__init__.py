"""The only writer of ``Run.status``, ``Lease`` and ``JobState``.

Each move is one conditional UPDATE that names the state it leaves; zero rows is an answer. A claim or a close locks
JobState first; only a claim for a group with a limit locks that group before. Lock order everywhere: Group, JobState,
Job, Run, Lease, Activation, each by id. A backfill is only changed while its job's JobState is locked.

Belongs here: every change of a run's state, a lease or a job state, and the events about it. Does not belong here:
rules whether a job may run (``eligibility``), handing runs to executors (``executors``), and loops (``scheduler``).
"""

from chroniker.lifecycle.activations import pass_over_waiting
from chroniker.lifecycle.adoption import adopt_jobs, stop_claims
from chroniker.lifecycle.alert_mutes import mute, unmute
from chroniker.lifecycle.alert_watch import (
    begin_lateness_again,
    look_at_alerts,
    mark_changed,
    record_settings_pause,
)
from chroniker.lifecycle.backfills import add as add_backfill
from chroniker.lifecycle.backfills import cancel_backfill, fail_backfill, hasten_backfill
from chroniker.lifecycle.booking import book, is_host_local, suspend_schedule
from chroniker.lifecycle.claim import claim
from chroniker.lifecycle.clock_jump import restart_after_clock_jump
from chroniker.lifecycle.close import Outcome, cancel, finish, release
from chroniker.lifecycle.deletion import delete_jobs, jobs_to_delete
from chroniker.lifecycle.dispatch_state import (
    correct_queues,
    leave_to_host,
    record_dispatched,
    record_not_accepted,
    take_for_dispatch,
)
from chroniker.lifecycle.events import note
from chroniker.lifecycle.expiry import expire
from chroniker.lifecycle.holds import resume_jobs
from chroniker.lifecycle.hourly_counts import count_closed_runs
from chroniker.lifecycle.imported_history import keep_tokens, record_history
from chroniker.lifecycle.monitor_counts import record_monitor_count
from chroniker.lifecycle.pending_retries import cancel_retry, hasten_retry
from chroniker.lifecycle.planned_rows import Plan
from chroniker.lifecycle.renewal import renew
from chroniker.lifecycle.start import Started, correct_argv, start
from chroniker.lifecycle.stop import request_stop, request_stops
from chroniker.lifecycle.transactions import wait_for_states

__all__ = [
    "Outcome",
    "Plan",
    "Started",
    "add_backfill",
    "adopt_jobs",
    "begin_lateness_again",
    "book",
    "cancel",
    "cancel_backfill",
    "cancel_retry",
    "claim",
    "correct_argv",
    "correct_queues",
    "count_closed_runs",
    "delete_jobs",
    "expire",
    "fail_backfill",
    "finish",
    "hasten_backfill",
    "hasten_retry",
    "is_host_local",
    "jobs_to_delete",
    "keep_tokens",
    "leave_to_host",
    "look_at_alerts",
    "mark_changed",
    "mute",
    "note",
    "pass_over_waiting",
    "record_dispatched",
    "record_history",
    "record_monitor_count",
    "record_not_accepted",
    "record_settings_pause",
    "release",
    "renew",
    "request_stop",
    "request_stops",
    "restart_after_clock_jump",
    "resume_jobs",
    "start",
    "stop_claims",
    "suspend_schedule",
    "take_for_dispatch",
    "unmute",
    "wait_for_states",
]
