"""The safeguards of the product that can be removed, each as a replacement of text in its source."""

from __future__ import annotations

from typing import NamedTuple


class Replacement(NamedTuple):
    file: str
    old: str
    new: str
    scenes: str  #: that find it; empty: none does, see ``NOT_FOUND``
    also: tuple[str, str, str] | None = None  #: a second replacement: the same rule, asked in another statement
    postgres: bool = False  #: they find it on PostgreSQL only


REPLACEMENTS = {
    "entry-is-sent-by-each-beat": Replacement(
        "../chroniker_celery/beat_entries.py",
        "filter(pk=row.pk, served_until=row.served_until)",
        "filter(pk=row.pk)",
        "beat-entry",
    ),
    "no-compare-and-set": Replacement(
        "lifecycle/start.py", "token=token, status=Status.CLAIMED, ", "token=token, ", "doubled-message"
    ),
    "no-margin": Replacement(
        "conf/project_settings.py", "return self.lease / 5\n", "return self.lease * 0\n", "slow-kill"
    ),
    "no-deadline": Replacement(
        "worker/lease_renewal.py",
        "self.deadline = sent_at + self._held_for",
        "self.deadline = sent_at + 10_000",
        "cut",
        ("worker/lease_renewal.py", "self.deadline = request.sent_at + self._held_for", "self.deadline += 10_000"),
    ),
    "expires-early": Replacement(
        "lifecycle/expiry.py",
        "FromNow(-settings.drift_allowance))",
        "FromNow(settings.lease / 2))",
        "cut",
        ("scheduler/questions.py", "Now(-settings.drift_allowance)", "Now(settings.lease / 2)"),
    ),
    "renewal-revives": Replacement(
        "lifecycle/renewal.py",
        "return lease, lease if settings.check_lock_file else",
        "return lease, lease if True else",
        "renewal-against-expiry",
    ),
    "claim-does-not-compare": Replacement(
        "lifecycle/claim.py",
        "if revisions.get(plan.job_id) == plan.state.revision]",
        "if plan.job_id in revisions]",
        "edit,two-ticks",
    ),
    "start-too-late": Replacement(
        "lifecycle/start.py",
        "Lease.objects.filter(pk=run_id, expires_at__gt=FromNow()).update(",
        "Lease.objects.filter(pk=run_id).update(",
        "late-message",
        ("lifecycle/start.py", "Exists(lease.filter(expires_at__gt=FromNow()))", "Exists(lease)"),
    ),
    "clock-is-believed": Replacement(
        "clock/clock_state.py",
        "return dataclasses.replace(memory, until=until, code=code.value, jump_seconds=round(jumped), unsettled=True)",
        "return memory",
        "clock-jump",
    ),
    "no-restart-after-jump": Replacement(
        "scheduler/tick.py", "        lifecycle.restart_after_clock_jump()\n", "        pass\n", "jump-of-a-claim"
    ),
    "finish-by-anyone": Replacement(
        "lifecycle/close.py",
        "return Run.objects.filter(pk=run_id, token=token, nonce=nonce, status=Status.RUNNING)",
        "return Run.objects.filter(pk=run_id, token=token)",
        "finish-against-expiry",
    ),
    "fence-reads-without-a-lock": Replacement(
        "command_api/fence.py", "{_OPEN} FOR SHARE", "{_OPEN}", "fence-against-expiry", postgres=True
    ),
    "lease-from-the-answer": Replacement(
        "worker/lease_renewal.py",
        "self.deadline = request.sent_at + self._held_for",
        "self.deadline = boot_clock() + self._held_for",
        "late-answer",
    ),
    "group-not-locked": Replacement(
        "lifecycle/admission.py",
        "taken = groups.open_jobs([pk for pk, limit in limits.items() if limit])",
        "taken: dict[int, int] = {}",
        "group-limit",
    ),
    "deadline-without-lock-files-only": Replacement(
        "executors/database_report.py",
        "        lease=settings.lease.total_seconds(),\n",
        "        lease=10_000.0 if settings.check_lock_file else settings.lease.total_seconds(),\n",
        "lock-file-unseen",
    ),
    "lock-is-not-asked": Replacement(
        "lifecycle/expiry.py",
        "        overdue &= ~Q(pk__in=[run_id for run_id in running if held[run_id]])\n",
        "",
        "lock-file-stopped",
    ),
    "no-sweep-before-expiry": Replacement(
        "lifecycle/expiry.py",
        "if not here.is_held(run_id) and here.kill_remaining(run_id)}",
        "if False}",
        "killed-guards,lock-file-killed-guards",
    ),
    "no-periodic-sweep": Replacement(
        "worker/run_remains.py",
        "                    self.sweep()\n",
        "                    pass\n",
        "killed-guards-elsewhere",
    ),
    "survivors-are-forgotten": Replacement(
        "lifecycle/close.py", "_free_slot(run_id, outcome.survivors)", "_free_slot(run_id, ())", "survivor"
    ),
    "missing-output-is-not-marked": Replacement(
        "lifecycle/expiry.py",
        "    note_output_missing(lost, database_now())\n",
        "",
        "supervisor-dies,lock-file-supervisor-dies",
    ),
    "lease-of-the-own-length": Replacement(
        "lifecycle/clock_jump.py",
        "    length = dt.timedelta(seconds=seconds)\n",
        "    length = settings.lease\n",
        "unequal",
    ),
    "dependency-is-not-checked-again": Replacement(
        "lifecycle/claim.py",
        'allowed |= Q(~dependencies.blocked(Scope[name]), AnyOf("pk", scoped))',
        'allowed |= Q(AnyOf("pk", scoped))',
        "dependency",
    ),
    "zone-rules-are-not-compared": Replacement(
        "eligibility/due.py",
        "filter(booked_zone_rules__lt=zone_rules_version())",
        "none()",
        "zone-rules",
    ),
    "claim-keeps-the-newer-zone-rules": Replacement(
        "lifecycle/planned_rows.py", "    state.booked_zone_rules = zone_rules_version()\n", "", "zone-rules"
    ),
    "error-of-one-host-suspends": Replacement(
        "lifecycle/booking.py",
        "    return unknown_zone or isinstance(error, (OSError, MemoryError, ImportError))\n",
        "    return False\n",
        "zone-missing",
    ),
    "edit-is-dated-by-its-host": Replacement(
        "models/job.py",
        "        if is_edit:\n            self.edited_at = FromNow()",
        "        if is_edit:\n            self.edited_at = timezone.now()",
        "edit-by-slow-clock",
    ),
    "held-job-is-claimed": Replacement(
        "eligibility/claim_kinds.py",
        "            found &= Q(held_at__isnull=True)\n",
        "            pass\n",
        "hold",
    ),
    "failure-holds-nothing": Replacement(
        "lifecycle/job_health.py",
        "    if job.hold_on_failure and state.held_at is None:\n",
        "    if False:\n",
        "hold",
    ),
    "retry-is-overtaken": Replacement(
        "eligibility/claim_kinds.py",
        "return found & ~retry_comes_first() if self.waits_for_retry else found",
        "return found",
        "retry-first",
    ),
    "retry-of-the-latest-run": Replacement(
        "eligibility/due.py", 'slot="", chain=OuterRef("retry_of"))', 'slot="")', "retry-first"
    ),
    "run-by-hand-drops-a-retry": Replacement(
        "lifecycle/planned_rows.py",
        "elif trigger == Trigger.SCHEDULE and after.retry_origin == Trigger.SCHEDULE and not keeps_retries(job):",
        "else:",
        "retry-first",
    ),
    "each-covers-all": Replacement(
        "lifecycle/plan.py", " and job.catch_up != CatchUp.EACH:  # several", ":  # several", "catch-up-each"
    ),
    "latest-covers-all": Replacement(
        "lifecycle/plan.py",
        "        first = until\n",
        "        first = before + dt.timedelta(microseconds=1)\n",
        "catch-up-latest",
    ),
    "end-activates-nothing": Replacement(
        "lifecycle/close.py",
        "    activations.record_ends(ended, [by_job[run.job_id] for run in settled], now)\n",
        "",
        "trigger",
    ),
    "replaced-retry-activates-nothing": Replacement(
        "lifecycle/claim.py",
        "        activations.record_ends([], [plan.after for plan in admitted], checked_at)\n",
        "",
        "trigger-by-replaced-retry",
    ),
    "activation-is-not-taken": Replacement(
        "lifecycle/claim.py", "        activations.take(admitted, checked_at)\n", "        pass\n", "trigger"
    ),
    "pause-is-not-checked-again": Replacement(
        "lifecycle/claim.py", "filter(allowed, ~pauses.switched_off(), job", "filter(allowed, job", "pause"
    ),
    "switch-is-not-checked-again": Replacement(
        "lifecycle/claim.py", "~pauses.switched_off(), job__enabled=True)", "~pauses.switched_off())", "disable"
    ),
    "group-row-is-not-locked": Replacement(
        "lifecycle/admission.py",
        "dict(locked(Group.objects.filter(pk__in=ids), skip=skip).values_list",
        "dict(Group.objects.filter(pk__in=ids).values_list",
        "group-limit",
        postgres=True,
    ),
    "dependees-are-not-locked": Replacement(
        "lifecycle/claim.py",
        "    ids = {plan.job_id for plan in plans} | {edge.dependee for edge in edges}\n",
        "    ids = {plan.job_id for plan in plans}\n",
        "dependency",
        ("lifecycle/claim.py", "edge.has_state and edge.dependee not in revisions}", "False}"),
        postgres=True,
    ),
    "cursor-is-not-moved": Replacement(
        "lifecycle/claim.py",
        "        backfills.write([plan.backfill for plan in admitted if plan.backfill])\n",
        "",
        "backfill",
    ),
    "backfill-run-counts-as-overlap": Replacement(
        "eligibility/due.py",
        "leases.exclude(run__origin=Trigger.BACKFILL) if kind.while_open else leases",
        "leases",
        "backfill-in-the-way",
    ),
    "backfill-run-is-replaced": Replacement(
        "eligibility/due.py", "        run__origin=Trigger.SCHEDULE,\n", "", "backfill-in-the-way"
    ),
    "drain-is-not-checked-at-the-start": Replacement(
        "lifecycle/start.py", "    if run.draining:\n", "    if False:\n", "drain"
    ),
    "drain-is-not-checked-in-one-statement": Replacement(
        "lifecycle/start.py", "        ~Exists(draining.draining_here()),\n", "", "drain", postgres=True
    ),
    "draining-host-claims": Replacement(
        "scheduler/tick.py",
        "and not work.paused and not settings.paused and not work.draining",
        "and not work.paused and not settings.paused",
        "drain",
    ),
    "copy-is-not-checked-at-the-start": Replacement(
        "lifecycle/start.py", "    if run.copied:\n", "    if False:\n", "copy"
    ),
    "copy-expires": Replacement("scheduler/tick.py", "    if work.copied:\n", "    if False:\n", "copy"),
    "end-raises-no-alert": Replacement(
        "lifecycle/close.py", "    _write_alerts(by_job, settled, backfill_of, now)\n", "", "alerts"
    ),
    "resumption-ends-no-alert": Replacement(
        "lifecycle/holds.py", "    alert_episodes.write(changes, now)\n", "", "alerts"
    ),
    "end-of-an-alert-is-not-reported": Replacement(
        "lifecycle/alert_episodes.py",
        "    announce_all([AlertEvent(alert, RECOVERED) for alert in ended])\n",
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
    "revision-is-not-counted": Replacement(
        "lifecycle/bulk.py", "        state.revision += 1\n", "        pass\n", "edit"
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
        "lifecycle/close.py", "ended += [] if goes_on else [run]", "ended += [run]", "trigger-by-replaced-retry"
    ),
    "key-is-ignored": Replacement(
        "scheduler/events.py", "return _first_with_key(row) or row", "return row", "trigger-by-two-programs"
    ),
    "copy-is-not-checked-in-one-statement": Replacement(
        "lifecycle/start.py", "        ~installation.is_copied(),\n", "", "copy", postgres=True
    ),
    "start-believes-a-clock-that-jumped": Replacement(
        "lifecycle/start.py",
        "    if reading.suspended_because:\n        # The lease",
        "    if False:\n        # The lease",
        "start-after-jump",
    ),
    "start-in-one-statement-believes-a-clock-that-jumped": Replacement(
        "lifecycle/start.py",
        '        *jump_detection.is_within(parameter("lowest"), parameter("highest"), server),\n',
        "",
        "start-after-jump",
        postgres=True,
    ),
    "readiness-has-no-end": Replacement(
        "scheduler/claiming.py",
        "until = dependencies.ready_until(ids, now) if kind.dependencies is Scope.ALL else {}",
        "until: dict[int, dt.datetime] = {}",
        "dependency-on-turn",
    ),
    "turn-is-not-waited-for": Replacement(
        "eligibility/dependencies.py",
        "return unfinished | unsuccessful | unaccounted",
        "return unfinished | unsuccessful",
        "dependency-on-unknown-turn",
    ),
    "success-is-not-waited-for": Replacement(
        "eligibility/dependencies.py",
        "return unfinished | unsuccessful | unaccounted",
        "return unfinished | unaccounted",
        "dependency-on-success",
    ),
    "retry-is-not-waited-for": Replacement(
        "eligibility/dependencies.py",
        "(Q(is_open) | Q(dependee__state__retry_at__isnull=False))",
        "Q(is_open)",
        "dependency-on-retry",
    ),
    "dependency-within-a-batch-is-ignored": Replacement(
        "lifecycle/admission.py",
        "if waits_for.get(plan.job_id, set()) & opened and plan.opened:",
        "if False:",
        "dependency-in-one-batch",
    ),
    "claim-believes-a-clock-that-jumped": Replacement(
        "lifecycle/claim.py",
        "    if reading.suspended_because:\n        raise",
        "    if False:\n        raise",
        "jump-during-tick",
    ),
    "expiry-believes-a-clock-that-jumped": Replacement(
        "lifecycle/expiry.py",
        "    if not ids or jump_detection.read_clock().suspended_because:\n",
        "    if not ids:\n",
        "jump-during-tick",
    ),
    "started-child-is-given-up": Replacement(
        "lifecycle/expiry.py",
        "lost += _expire(ids, Q(nonce=None), Code.HOST_GONE)",
        "lost += _expire(ids, None, Code.HOST_GONE)",
        "host-gone",
    ),
    "parent-ends-before-its-children": Replacement(
        "lifecycle/host_runs.py",
        "Run.objects.filter(~is_open, pk__in=ids,",
        "Run.objects.filter(pk__in=ids,",
        "last-child",
    ),
    "message-starts-a-run-of-another-host": Replacement(
        "lifecycle/start.py",
        'status=Status.CLAIMED, required_host__in=["", taker.host])',
        "status=Status.CLAIMED)",
        "forged-message",
    ),
    "message-with-another-token-starts": Replacement(
        "lifecycle/start.py",
        "Run.objects.filter(pk=run_id, token=token, status=Status.CLAIMED,",
        "Run.objects.filter(pk=run_id, status=Status.CLAIMED,",
        "forged-message",
    ),
    "lease-is-taken-without-the-run": Replacement(
        "lifecycle/one_statement.py",
        "held AS ({held} AND EXISTS (SELECT FROM moved) RETURNING 1) ",
        "held AS ({held} RETURNING 1) ",
        "forged-message",
        postgres=True,
    ),
    "pause-of-a-group-is-not-checked-again": Replacement(
        "lifecycle/claim.py", "rows = states.filter(job__group__paused_at__isnull=True)", "rows = states", "pause-group"
    ),
    "limit-is-not-read-again": Replacement(
        "lifecycle/admission.py",
        "return {pk: found.get(pk, 0) for pk in ids}",
        "return {plan.job.group.pk: plan.job.group.limit for plan in plans if plan.job.group}",
        "lower-limit",
    ),
    "flag-is-not-lowered": Replacement(
        "lifecycle/claim.py", "    Job.objects.filter(pk__in=ids).update(force_run=False)\n", "", "force-run"
    ),
    "closed-run-is-lost": Replacement("lifecycle/expiry.py", "    ids -= closed\n", "", "survivor-alone"),
    "edit-counts-from-before-the-last-run": Replacement(
        "lifecycle/booking.py", "    edit = max(edit, state.covered_until)\n", "", "edit"
    ),
    "open-job-is-deleted": Replacement(
        "lifecycle/deletion.py", "Job.objects.filter(~is_open, deletion", "Job.objects.filter(deletion", "delete"
    ),
    "timeout-is-not-kept": Replacement(
        "process/keeper.py",
        "            self._timeout_at = boot_clock() + spec.timeout\n",
        "            pass\n",
        "timeout",
    ),
    "grace-has-no-end": Replacement("process/keeper.py", "        self._kill_at = now + self._grace\n", "", "timeout"),
    "draining-host-claims-after-a-run": Replacement(
        "scheduler/tick.py",
        "    return not draining.draining_here().exists()\n",
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
    "late-output-is-stored": Replacement(
        "executors/database_report.py",
        "            if not ours.exists():\n                return False\n",
        "",
        "finish-against-expiry",
    ),
    "late-record-changes-a-closed-run": Replacement(
        "lifecycle/dispatch_state.py",
        "return Run.objects.filter(pk__in=run_ids, status=Status.CLAIMED)",
        "return Run.objects.filter(pk__in=run_ids)",
        "late-record",
    ),
    "time-is-not-compared-again": Replacement(
        "lifecycle/expiry.py",
        "locked(leases.filter(still) if still else leases, skip=True)",
        "locked(leases, skip=True)",
        "renewal-after-jump",
    ),
    "unknown-lock-counts-as-free": Replacement(
        "lifecycle/expiry.py", "if held[run_id] is False]", "if not held[run_id]]", "lock-file-unseen"
    ),
    "start-is-answered-to-anyone": Replacement(
        "lifecycle/start.py",
        "token=token, nonce=nonce, status=Status.RUNNING)\n    return runs",
        "token=token, status=Status.RUNNING)\n    return runs",
        "doubled-message",
    ),
    "late-finish-changes-a-closed-run": Replacement(
        "lifecycle/close.py",
        "return Run.objects.filter(pk=run_id, token=token, nonce=nonce, status=Status.RUNNING)",
        "return Run.objects.filter(pk=run_id, token=token, nonce=nonce)",
        "finish-against-expiry",
    ),
    "dead-keeper-is-not-replaced": Replacement(
        "worker/supervisor.py",
        "        self._survivors = self._worker.machine.kill_marked(self._spec.run_id, self.keeper.alive_pid)\n",
        "",
        "keeper-dies",
    ),
    "state-is-not-locked-at-an-end": Replacement(
        "lifecycle/close.py",
        '    state = locked(JobState.objects.filter(pk__in=run.values("job")), skip=False)\n',
        '    state = JobState.objects.filter(pk__in=run.values("job"))\n',
        "last-child",
        (
            "lifecycle/close.py",
            "    states = list(locked(JobState.objects.filter(pk=run.job_id), skip=False))\n    moved",
            "    states = list(JobState.objects.filter(pk=run.job_id))\n    moved",
        ),
        postgres=True,
    ),
    "cancelled-run-is-not-locked": Replacement(
        "lifecycle/close.py",
        "ids = list(locked(stoppable, skip=False).values_list",
        "ids = list(stoppable.values_list",
        "stop-against-start",
        postgres=True,
    ),
    "edited-job-is-not-locked": Replacement(
        "lifecycle/booking.py",
        "with_groups(locked(Job.objects.filter(pk__in=states), skip=True))",
        "with_groups(Job.objects.filter(pk__in=states))",
        "edit-during-booking",
        postgres=True,
    ),
    "claimed-job-is-deleted": Replacement(
        "lifecycle/deletion.py",
        '    free = set(job_ids) - (set(states.values_list("pk", flat=True)) - mine)\n',
        "    free = set(job_ids) | mine\n",
        "delete",
        postgres=True,
    ),
    "no-second-message": Replacement(
        "scheduler/dispatch.py",
        "filter(redispatch_at__lte=now)",
        "filter(redispatch_at__lte=now).none()",
        "lost-message",
    ),
}
#: Names that a replacement needs at the top of its file.
IMPORTS = {
    "edit-is-dated-by-its-host": "from django.utils import timezone\n",
    "lease-from-the-answer": "from chroniker.process.kernel import boot_clock\n",
}
