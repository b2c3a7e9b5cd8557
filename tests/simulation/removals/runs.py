"""Safeguards of messages, starts, leases and commands."""

from __future__ import annotations

from tests.simulation.removals.replacement import Replacement

REPLACEMENTS = {
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
    "renewal-revives": Replacement(
        "lifecycle/renewal.py",
        "return lease, lease if settings.check_lock_file else",
        "return lease, lease if True else",
        "renewal-against-expiry",
    ),
    "start-too-late": Replacement(
        "lifecycle/start.py",
        "Lease.objects.filter(pk=run_id, expires_at__gt=NowPlus()).update(",
        "Lease.objects.filter(pk=run_id).update(",
        "late-message",
        ("lifecycle/start.py", "Exists(lease.filter(expires_at__gt=NowPlus()))", "Exists(lease)"),
    ),
    "fence-reads-without-a-lock": Replacement(
        "command_api/fence.py", "{_OPEN_RUN_SQL} FOR SHARE", "{_OPEN_RUN_SQL}", "fence-against-expiry", postgres=True
    ),
    "lease-from-the-answer": Replacement(
        "worker/lease_renewal.py",
        "self.deadline = request.sent_at + self._held_for",
        "self.deadline = boot_clock() + self._held_for",
        "late-answer",
    ),
    "deadline-without-lock-files-only": Replacement(
        "executors/database_report.py",
        "        lease=settings.lease.total_seconds(),\n",
        "        lease=10_000.0 if settings.check_lock_file else settings.lease.total_seconds(),\n",
        "lock-file-unseen",
    ),
    "no-periodic-sweep": Replacement(
        "worker/run_remains.py",
        "                    self.sweep()\n",
        "                    pass\n",
        "killed-guards-elsewhere",
    ),
    "drain-is-not-checked-at-the-start": Replacement(
        "lifecycle/start.py", "    if run.draining:\n", "    if False:\n", "drain"
    ),
    "drain-is-not-checked-in-one-statement": Replacement(
        "lifecycle/start.py", "        ~Exists(draining.select_this_host_if_draining()),\n", "", "drain", postgres=True
    ),
    "copy-is-not-checked-at-the-start": Replacement(
        "lifecycle/start.py", "    if run.is_database_copied:\n", "    if False:\n", "copy"
    ),
    "copy-is-not-checked-in-one-statement": Replacement(
        "lifecycle/start.py", "        ~installation.database_copied_condition(),\n", "", "copy", postgres=True
    ),
    "start-believes-a-clock-that-jumped": Replacement(
        "lifecycle/start.py",
        "    if reading.suspended_because:\n        # The lease",
        "    if False:\n        # The lease",
        "start-after-jump",
    ),
    "start-in-one-statement-believes-a-clock-that-jumped": Replacement(
        "lifecycle/start.py",
        "        *jump_detection.trusted_clock_conditions("
        'statement_parameter("lowest"), statement_parameter("highest"), server),\n',
        "",
        "start-after-jump",
        postgres=True,
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
    "timeout-is-not-kept": Replacement(
        "process/keeper.py",
        "            self._timeout_at = boot_clock() + spec.timeout\n",
        "            pass\n",
        "timeout",
    ),
    "grace-has-no-end": Replacement("process/keeper.py", "        self._kill_at = now + self._grace\n", "", "timeout"),
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
    "start-is-answered-to-anyone": Replacement(
        "lifecycle/start.py",
        "token=token, nonce=nonce, status=Status.RUNNING)\n    return runs",
        "token=token, status=Status.RUNNING)\n    return runs",
        "doubled-message",
    ),
    "dead-keeper-is-not-replaced": Replacement(
        "worker/supervisor.py",
        "        self._survivors = self._worker.machine.kill_processes_with_run_marker("
        "self._spec.run_id, self.keeper.alive_pid)\n",
        "",
        "keeper-dies",
    ),
    "no-second-message": Replacement(
        "scheduler/dispatch.py",
        "filter(redispatch_at__lte=now)",
        "filter(redispatch_at__lte=now).none()",
        "lost-message",
    ),
}
