"""Safeguards of the ends of runs, and of ticks: expiry, clock jumps, alerts."""

from __future__ import annotations

from tests.simulation.removals.replacement import Replacement

REPLACEMENTS = {
    "expires-early": Replacement(
        "lifecycle/expiry.py",
        "NowPlus(-settings.drift_allowance))",
        "NowPlus(settings.lease / 2))",
        "cut",
        ("scheduler/pending_work_queries.py", "NowPlus(-settings.drift_allowance)", "NowPlus(settings.lease / 2)"),
    ),
    "clock-is-believed": Replacement(
        "clock/clock_state.py",
        "return dataclasses.replace(state, until=until, code=code.value, jump_seconds=round(jumped), unsettled=True)",
        "return state",
        "clock-jump",
    ),
    "no-restart-after-jump": Replacement(
        "scheduler/tick.py",
        "        lifecycle.reset_deadlines_after_clock_jump()\n",
        "        pass\n",
        "jump-of-a-claim",
    ),
    "finish-by-anyone": Replacement(
        "lifecycle/close.py",
        "return Run.objects.filter(pk=run_id, token=token, nonce=nonce, status=Status.RUNNING)",
        "return Run.objects.filter(pk=run_id, token=token)",
        "finish-against-expiry",
    ),
    "lock-is-not-asked": Replacement(
        "lifecycle/expiry.py",
        "        overdue &= ~Q(pk__in=[run_id for run_id in running if held[run_id]])\n",
        "",
        "lock-file-stopped",
    ),
    "no-sweep-before-expiry": Replacement(
        "lifecycle/expiry.py",
        "if not local_processes.is_run_lock_held(run_id) and local_processes.kill_remaining_processes(run_id)\n",
        "if False\n",
        "killed-guards,lock-file-killed-guards",
    ),
    "survivors-are-forgotten": Replacement(
        "lifecycle/close.py",
        "_delete_or_keep_lease(run_id, outcome.survivors)",
        "_delete_or_keep_lease(run_id, ())",
        "survivor",
    ),
    "missing-output-is-not-marked": Replacement(
        "lifecycle/expiry.py",
        "    add_missing_output_events(lost, database_now())\n",
        "",
        "supervisor-dies,lock-file-supervisor-dies",
    ),
    "lease-of-the-own-length": Replacement(
        "lifecycle/clock_jump.py",
        "    length = dt.timedelta(seconds=seconds)\n",
        "    length = settings.lease\n",
        "unequal",
    ),
    "failure-holds-nothing": Replacement(
        "lifecycle/job_health.py",
        "    if job.hold_on_failure and state.held_at is None:\n",
        "    if False:\n",
        "hold",
    ),
    "end-activates-nothing": Replacement(
        "lifecycle/close.py",
        "    activations.insert_activations_of_ended_chains(ended, [by_job[run.job_id] for run in settled], now)\n",
        "",
        "trigger",
    ),
    "draining-host-claims": Replacement(
        "scheduler/tick.py",
        "and not work.paused and not settings.paused and not work.draining",
        "and not work.paused and not settings.paused",
        "drain",
    ),
    "copy-expires": Replacement("scheduler/tick.py", "    if work.is_database_copied:\n", "    if False:\n", "copy"),
    "end-raises-no-alert": Replacement(
        "lifecycle/close.py", "    _write_alerts(by_job, settled, backfill_of, now)\n", "", "alerts"
    ),
    "end-of-an-alert-is-not-reported": Replacement(
        "lifecycle/alert_episodes.py",
        "    _write_messages_if_any([AlertEvent(alert, ALERT_RECOVERED_EVENT) for alert in ended])\n",
        "",
        "alerts",
    ),
    "episode-has-no-key": Replacement(
        "lifecycle/alert_episodes.py", "key=finding.key,", 'key=f"{finding.key} {now}"[:100],', "alert-once"
    ),
    "known-episode-is-reported": Replacement(
        "lifecycle/alert_episodes.py",
        "    return [alert for alert in new if alert.pk in ours]\n",
        "    return list(Alert.objects.filter(key__in=[alert.key for alert in new]))\n",
        "alert-once",
    ),
    "known-episode-stays-ended": Replacement(
        "lifecycle/alert_episodes.py", "update(ended_at=None)", "update()", "alert-once"
    ),
    "started-run-is-cancelled": Replacement(
        "lifecycle/close.py",
        "runs.filter(status=Status.CLAIMED, stop_requested_at__isnull=False)",
        "runs.filter(stop_requested_at__isnull=False)",
        "stop-against-start",
        (
            "lifecycle/close.py",
            "Run.objects.filter(pk__in=ids, status=Status.CLAIMED)",
            "Run.objects.filter(pk__in=ids)",
        ),
    ),
    "each-attempt-activates": Replacement(
        "lifecycle/close.py", "ended += [] if has_retry else [run]", "ended += [run]", "trigger-by-replaced-retry"
    ),
    "expiry-believes-a-clock-that-jumped": Replacement(
        "lifecycle/expiry.py",
        "    if not ids or jump_detection.read_clock().suspended_because:\n",
        "    if not ids:\n",
        "jump-during-tick",
    ),
    "started-child-is-given-up": Replacement(
        "lifecycle/expiry.py",
        "lost += _close_runs_as_lost(ids, Q(nonce=None), Code.HOST_GONE)",
        "lost += _close_runs_as_lost(ids, None, Code.HOST_GONE)",
        "host-gone",
    ),
    "parent-ends-before-its-children": Replacement(
        "lifecycle/host_runs.py",
        "Run.objects.filter(~is_open, pk__in=parent_ids,",
        "Run.objects.filter(pk__in=parent_ids,",
        "last-child",
    ),
    "closed-run-is-lost": Replacement("lifecycle/expiry.py", "    ids -= closed\n", "", "survivor-alone"),
    "draining-host-claims-after-a-run": Replacement(
        "scheduler/tick.py",
        "    return not draining.select_this_host_if_draining().exists()\n",
        "    return True\n",
        "drain-after-run",
    ),
    "live-host-is-given-up": Replacement(
        "lifecycle/host_runs.py",
        'Lease.objects.filter(~Q(slot=""), ~Exists(live), nonce=None)',
        'Lease.objects.filter(~Q(slot=""), nonce=None)',
        "jump-during-tick",
    ),
    "closed-run-keeps-its-slot": Replacement(
        "lifecycle/close.py",
        "    if not survivors:\n        lease.delete()\n",
        "    if not survivors:\n",
        "doubled-message",
    ),
    "time-is-not-compared-again": Replacement(
        "lifecycle/expiry.py",
        "lock_rows(leases.filter(still_overdue) if still_overdue else leases, skip=True)",
        "lock_rows(leases, skip=True)",
        "renewal-after-jump",
    ),
    "unknown-lock-counts-as-free": Replacement(
        "lifecycle/expiry.py", "if held[run_id] is False]", "if not held[run_id]]", "lock-file-unseen"
    ),
    "late-finish-changes-a-closed-run": Replacement(
        "lifecycle/close.py",
        "return Run.objects.filter(pk=run_id, token=token, nonce=nonce, status=Status.RUNNING)",
        "return Run.objects.filter(pk=run_id, token=token, nonce=nonce)",
        "finish-against-expiry",
    ),
    "state-is-not-locked-at-an-end": Replacement(
        "lifecycle/close.py",
        '    state = lock_rows(JobState.objects.filter(pk__in=run.values("job")), skip=False)\n',
        '    state = JobState.objects.filter(pk__in=run.values("job"))\n',
        "last-child",
        (
            "lifecycle/close.py",
            "    states = list(lock_rows(JobState.objects.filter(pk=run.job_id), skip=False))\n    moved",
            "    states = list(JobState.objects.filter(pk=run.job_id))\n    moved",
        ),
        postgres=True,
    ),
    "cancelled-run-is-not-locked": Replacement(
        "lifecycle/close.py",
        "ids = list(lock_rows(stoppable, skip=False).values_list",
        "ids = list(stoppable.values_list",
        "stop-against-start",
        postgres=True,
    ),
}
