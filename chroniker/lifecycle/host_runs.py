"""Runs on every host: a parent, which owns the instant and the job's lease, and a child for each live host.

The parent is never dispatched or started: it is RUNNING from its claim until its last child is closed. The transaction
that closes the last child also closes the parent. The parent's lease holds the job's slot, and no worker renews it.
When that lease expires, a tick looks at the children: while one is open the lease is extended, since each child ends
within a bound of its own; when none is open, the parent is closed. So every parent ends.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from django.db.models import Case, Count, Exists, F, JSONField, OuterRef, Q, QuerySet, Subquery, Value, When

from chroniker.clock.database_clock import NowPlus
from chroniker.conf import settings
from chroniker.eligibility import hosts
from chroniker.eligibility.claim_kinds import COLUMNS_COPIED_TO_RETRIES
from chroniker.lifecycle import job_health
from chroniker.lifecycle.alert_conditions import AlertChanges
from chroniker.lifecycle.planned_rows import Plan
from chroniker.models import EVERY_HOST, OPEN_STATUSES, AlertKind, Host, Lease, Run, Status, Trigger
from chroniker.models.base import make_random_uuid
from chroniker.reasons import NO_REASON, Code, Reason

#: A parent's reason names at most this many hosts and counts the others. The run's page lists all.
MAX_HOSTS_IN_REASON = 20
COLUMNS_COPIED_TO_CHILDREN = ("trigger", "attempt", "executor", "queue", "argv", "asked_by", *COLUMNS_COPIED_TO_RETRIES)


def add_child_runs_to_plans(plans: Sequence[Plan], now: dt.datetime) -> None:
    """Add the children to each plan for every host. At most one statement, however many plans.

    Without a live host the plan's run becomes SKIPPED, with the reason, so that the instants are accounted for.
    """
    parents = [plan for plan in plans if plan.claimed_run and plan.claimed_run.required_host == EVERY_HOST]
    live = hosts.live_hosts_by_executor({plan.job.executor for plan in parents})
    for plan in parents:
        _add_child_runs(plan, live.get(plan.job.executor, []), now)


def _add_child_runs(plan: Plan, live: Sequence[Host], now: dt.datetime) -> None:
    parent, job = plan.runs[-1], plan.job
    if not live and plan.backfill is not None:
        plan.is_dropped = True  # a backfill covers no instants, so its run can wait for a host
        return
    if not live:
        parent.status, parent.finished_at, parent.uncounted_since = Status.SKIPPED, now, now
        parent.attempt, parent.chain, parent.argv = 0, None, None
        plan.state_after.n_skipped += 1
        if parent.trigger == Trigger.RETRY:  # the attempt is skipped, so the chain ends before it
            for name in job_health.RETRY_COLUMNS:
                setattr(plan.state_after, name, getattr(plan.state, name))
            job_health.end_pending_retry(plan.state_after, job, now)
        parent.code = Code.NO_HOST
        parent.reason_args = {"executor": job.executor, "seconds": f"{settings.host_timeout.total_seconds():g}"}
        # Subscribers to missed runs get a message about it.
        plan.run_of_missed_instants = plan.run_of_missed_instants or parent
        return
    parent.status, parent.started_at, parent.nonce = Status.RUNNING, now, make_random_uuid()
    for host in live:
        plan.state_after.last_token += 1
        child = Run(
            job_id=parent.job_id,
            parent_id=parent.pk,
            slot=str(host.pk),
            required_host=host.name,
            token=plan.state_after.last_token,
            status=Status.CLAIMED,
            claimed_at=now,
            **{name: getattr(parent, name) for name in COLUMNS_COPIED_TO_CHILDREN},
        )
        plan.runs.append(child)


def leases_of_unstarted_children_on_dead_hosts() -> QuerySet[Lease]:
    """Leases of children that have not started, on hosts that are no longer live."""
    live = hosts.services_of_live_hosts().filter(
        host__name=OuterRef("run__required_host"), executor=OuterRef("job__executor")
    )
    return Lease.objects.filter(~Q(slot=""), ~Exists(live), nonce=None)


def close_finished_parents(parent_ids: Collection[UUID]) -> set[UUID]:
    """RUNNING → SUCCEEDED, STOPPED or FAILED, for these parents without open children. Returns the closed ones.

    The caller has locked the jobs' states; otherwise each of two last children could see the other one as open. The
    leases of the other parents get the number of hosts that have reported.
    """
    if not parent_ids:
        return set()
    is_open = Exists(_select_open_child_runs())
    parents = list(Run.objects.filter(~is_open, pk__in=parent_ids, required_host=EVERY_HOST, status=Status.RUNNING))
    closed = {parent.pk for parent in parents}
    if closed:
        _close_parents(parents)
    if waiting := set(parent_ids) - closed:
        # Ids first: MySQL cannot read a table in the statement that writes it.
        still = _select_open_child_runs().order_by().values("parent").annotate(count=Count("pk")).values("count")
        Lease.objects.filter(pk__in=waiting).update(total_parts_complete=F("total_parts") - Subquery(still))
    return closed


def _select_open_child_runs() -> QuerySet[Run]:
    return Run.objects.filter(parent=OuterRef("pk"), status__in=OPEN_STATUSES)


def _close_parents(parents: Sequence[Run]) -> None:
    children = defaultdict(list)
    for child in Run.objects.filter(parent__in=[parent.pk for parent in parents]).order_by("required_host"):
        children[child.parent_id].append(child)
    outcomes = {parent.pk: compute_parent_outcome(parent, children[parent.pk]) for parent in parents}
    reasons = {pk: because.columns() for pk, (_status, because) in outcomes.items()}
    counts = {parent.pk: len(children[parent.pk]) for parent in parents}
    Run.objects.filter(pk__in=outcomes, status=Status.RUNNING).update(
        status=Case(*(When(pk=pk, then=Value(status.value)) for pk, (status, _reason) in outcomes.items())),
        code=Case(*(When(pk=pk, then=Value(columns["code"])) for pk, columns in reasons.items())),
        reason_args=Case(
            *(When(pk=pk, then=Value(columns["reason_args"], JSONField())) for pk, columns in reasons.items())
        ),
        total_parts=Case(*(When(pk=pk, then=Value(count)) for pk, count in counts.items())),
        total_parts_complete=Case(*(When(pk=pk, then=Value(count)) for pk, count in counts.items())),
        finished_at=NowPlus(),
        uncounted_since=NowPlus(),
    )
    Lease.objects.filter(pk__in=outcomes).delete()


def compute_parent_outcome(parent: Run, children: Sequence[Run]) -> tuple[Status, Reason]:
    """SUCCEEDED if all children succeeded; else the reason names the hosts with another result."""
    others = [child for child in children if child.status != Status.SUCCEEDED]
    if children and not others:
        return Status.SUCCEEDED, NO_REASON
    because = Reason.of(
        Code.HOSTS,
        done=len(children) - len(others),
        all=len(children),
        others=[[child.required_host, child.status] for child in others[:MAX_HOSTS_IN_REASON]],
        more=max(0, len(others) - MAX_HOSTS_IN_REASON),
    )
    return (Status.FAILED if parent.stop_requested_at is None else Status.STOPPED), because


def add_slow_hosts_to_alerts(all_changes: Iterable[AlertChanges], runs: Iterable[Run]) -> None:
    """Add the slow hosts to the alerts about ended runs on every host that were slow. One statement; none without such
    an alert."""
    parents = {run.pk: run for run in runs if run.required_host == EVERY_HOST}
    findings = (each for changes in all_changes for each in changes.raised if each.kind == AlertKind.SLOW)
    slow = [(parents[each.run_id], each.args) for each in findings if each.run_id in parents]
    if not slow:
        return
    ended = Run.objects.filter(parent__in=[run.pk for run, _args in slow]).order_by("-finished_at")
    children = list(ended.values_list("parent", "required_host", "finished_at"))
    for run, args in slow:
        began = run.started_at or run.claimed_at
        took = [[host, (end - began).total_seconds()] for parent, host, end in children if parent == run.pk and end]
        args["hosts"] = [each for each in took if each[1] > args["limit"]][:MAX_HOSTS_IN_REASON]


def extend_parent_leases(parent_ids: Collection[UUID]) -> None:
    """Extend the expired leases of these parents, which still have open children."""
    Lease.objects.filter(pk__in=parent_ids).update(expires_at=NowPlus(settings.lease))


def find_parents_with_lost_child(parent_ids: Collection[UUID]) -> set[UUID]:
    """The parents with a LOST child, whose command may have finished."""
    if not parent_ids:
        return set()
    lost = Run.objects.filter(parent__in=parent_ids, status=Status.LOST)
    return {parent for parent in lost.values_list("parent", flat=True).distinct() if parent}
