"""Safeguards of bookings and claims, and of what they wait for."""

from __future__ import annotations

from tests.simulation.removals.replacement import Replacement

REPLACEMENTS = {
    "entry-is-sent-by-each-beat": Replacement(
        "../chroniker_celery/beat_entries.py",
        "filter(pk=row.pk, served_until=row.served_until)",
        "filter(pk=row.pk)",
        "beat-entry",
    ),
    "claim-does-not-compare": Replacement(
        "lifecycle/claim.py",
        "if revisions.get(plan.job_id) == plan.state.revision]",
        "if plan.job_id in revisions]",
        "edit,two-ticks",
    ),
    "group-not-locked": Replacement(
        "lifecycle/admission.py",
        "taken = groups.count_open_jobs([pk for pk, limit in limits.items() if limit])",
        "taken: dict[int, int] = {}",
        "group-limit",
    ),
    "dependency-is-not-checked-again": Replacement(
        "lifecycle/claim.py",
        'allowed |= Q(~dependencies.blocked_by_dependency_condition(DependencyScope[name]), ColumnInIds("pk", scoped))',
        'allowed |= Q(ColumnInIds("pk", scoped))',
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
        "        if is_edit:\n            self.edited_at = NowPlus()",
        "        if is_edit:\n            self.edited_at = timezone.now()",
        "edit-by-slow-clock",
    ),
    "held-job-is-claimed": Replacement(
        "eligibility/claim_kinds.py",
        "            found &= Q(held_at__isnull=True)\n",
        "            pass\n",
        "hold",
    ),
    "retry-is-overtaken": Replacement(
        "eligibility/claim_kinds.py",
        "return found & ~retry_comes_first_condition() if self.waits_for_retry else found",
        "return found",
        "retry-first",
    ),
    "retry-of-the-latest-run": Replacement(
        "eligibility/due.py", 'slot="", chain=OuterRef("retry_of"))', 'slot="")', "retry-first"
    ),
    "run-by-hand-drops-a-retry": Replacement(
        "lifecycle/planned_rows.py",
        "elif trigger == Trigger.SCHEDULE and after.retry_origin == Trigger.SCHEDULE and "
        "not does_next_claim_keep_retry(job):",
        "else:",
        "retry-first",
    ),
    "each-covers-all": Replacement(
        "lifecycle/claim_plan.py", " and job.catch_up != CatchUp.EACH:  # several", ":  # several", "catch-up-each"
    ),
    "latest-covers-all": Replacement(
        "lifecycle/claim_plan.py",
        "        first = until\n",
        "        first = before + dt.timedelta(microseconds=1)\n",
        "catch-up-latest",
    ),
    "replaced-retry-activates-nothing": Replacement(
        "lifecycle/claim.py",
        "        activations.insert_activations_of_ended_chains("
        "[], [plan.state_after for plan in admitted], checked_at)\n",
        "",
        "trigger-by-replaced-retry",
    ),
    "activation-is-not-taken": Replacement(
        "lifecycle/claim.py",
        "        activations.end_activations_of_plans(admitted, checked_at)\n",
        "        pass\n",
        "trigger",
    ),
    "pause-is-not-checked-again": Replacement(
        "lifecycle/claim.py", "filter(allowed, ~pauses.all_jobs_paused_condition(), job", "filter(allowed, job", "pause"
    ),
    "switch-is-not-checked-again": Replacement(
        "lifecycle/claim.py",
        "~pauses.all_jobs_paused_condition(), job__enabled=True)",
        "~pauses.all_jobs_paused_condition())",
        "disable",
    ),
    "group-row-is-not-locked": Replacement(
        "lifecycle/admission.py",
        "dict(lock_rows(Group.objects.filter(pk__in=ids), skip=skip_locked).values_list",
        "dict(Group.objects.filter(pk__in=ids).values_list",
        "group-limit",
        postgres=True,
    ),
    "dependees-are-not-locked": Replacement(
        "lifecycle/claim.py",
        "    ids = {plan.job_id for plan in plans} | {edge.dependee_id for edge in edges}\n",
        "    ids = {plan.job_id for plan in plans}\n",
        "dependency",
        ("lifecycle/claim.py", "edge.has_state and edge.dependee_id not in revisions}", "False}"),
        postgres=True,
    ),
    "cursor-is-not-moved": Replacement(
        "lifecycle/claim.py",
        "        backfills.write_backfills([plan.backfill for plan in admitted if plan.backfill])\n",
        "",
        "backfill",
    ),
    "backfill-run-counts-as-overlap": Replacement(
        "eligibility/due.py",
        "leases if of_backfills else leases.exclude(run__origin=Trigger.BACKFILL)",
        "leases",
        "backfill-in-the-way",
    ),
    "backfill-run-is-replaced": Replacement(
        "eligibility/due.py", "        run__origin=Trigger.SCHEDULE,\n", "", "backfill-in-the-way"
    ),
    "resumption-ends-no-alert": Replacement(
        "lifecycle/holds.py", "    alert_episodes.write_alert_changes(all_changes, now)\n", "", "alerts"
    ),
    "revision-is-not-counted": Replacement(
        "lifecycle/bulk.py", "        state.revision += 1\n", "        pass\n", "edit"
    ),
    "key-is-ignored": Replacement(
        "scheduler/events.py", "return _find_activation_with_key(row) or row", "return row", "trigger-by-two-programs"
    ),
    "readiness-has-no-end": Replacement(
        "scheduler/claiming.py",
        "until = (\n        dependencies.read_first_pending_dependee_instants(ids, now)"
        " if kind.dependencies is DependencyScope.ALL else {}\n    )\n",
        "until: dict[int, dt.datetime] = {}\n",
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
        "if waits_for.get(plan.job_id, set()) & opened and plan.opened_runs:",
        "if False:",
        "dependency-in-one-batch",
    ),
    "claim-believes-a-clock-that-jumped": Replacement(
        "lifecycle/claim.py",
        "    if reading.suspended_because:\n        raise",
        "    if False:\n        raise",
        "jump-during-tick",
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
    "edit-counts-from-before-the-last-run": Replacement(
        "lifecycle/booking.py", "    edit = max(edit, state.covered_until)\n", "", "edit"
    ),
    "open-job-is-deleted": Replacement(
        "lifecycle/deletion.py", "Job.objects.filter(~is_open, deletion", "Job.objects.filter(deletion", "delete"
    ),
    "edited-job-is-not-locked": Replacement(
        "lifecycle/booking.py",
        "load_groups_into_jobs(lock_rows(Job.objects.filter(pk__in=states), skip=True))",
        "load_groups_into_jobs(Job.objects.filter(pk__in=states))",
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
}
