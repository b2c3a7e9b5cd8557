"""Updates the alerts that time may have raised or ended. Ticks call it, batch by batch."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, Q, QuerySet

from chroniker.clock.database_clock import NowPlus
from chroniker.conf import settings
from chroniker.eligibility import explanations, waiting_activations
from chroniker.lifecycle import alert_episodes, alert_mutes, host_runs
from chroniker.lifecycle.alert_conditions import AlertChanges, is_alert_open, make_alert_changes
from chroniker.lifecycle.alert_messages import AlertEvent, write_alert_messages
from chroniker.lifecycle.bulk import write_states
from chroniker.lifecycle.claim_plan import are_all_due_instants_in_blackouts
from chroniker.lifecycle.timed_alerts import AlertFacts, add_time_based_alert_changes
from chroniker.lifecycle.transactions import lock_rows, transactional
from chroniker.models import (
    EVERY_HOST,
    Activation,
    Alert,
    AlertKind,
    Group,
    Job,
    JobState,
    Lease,
    Run,
    Switch,
    Ticker,
    installation,
)
from chroniker.models.group import SWITCH_ID
from chroniker.models.job import prefetch_closed_times

MAX_JOBS_PER_TRANSACTION = 1000


def update_due_alerts(now: dt.datetime, limit: int) -> tuple[int, bool]:
    """Update the alerts of at most ``limit`` due jobs; returns how many, and whether messages were written.

    A constant number of statements. Jobs whose state another transaction has locked are left for the next tick.
    """
    rows = JobState.objects.filter(alert_at__lte=now).order_by("alert_at", "pk")
    ids = list(rows.values_list("pk", flat=True)[:limit])
    requests = waiting_activations.possibly_late_activations(now).order_by("late_at", "pk")
    waited = dict(requests.values_list("pk", "target")[:limit])
    return _update_alerts(ids, waited, now) if ids or waited else (0, False)


@transactional
def _update_alerts(job_ids: Collection[int], late_activations: dict[UUID, int], now: dt.datetime) -> tuple[int, bool]:
    """``late_activations``: activations that may be late, each with its job."""
    due = Q(pk__in=job_ids, alert_at__lte=now) | Q(pk__in=set(late_activations.values()))
    states = list(lock_rows(JobState.objects.filter(due), skip=True))
    jobs = Job.objects.select_related("group").in_bulk([state.pk for state in states])
    prefetch_closed_times(jobs.values())
    for state in states:
        state.job = jobs[state.pk]
    all_changes = make_alert_changes((state, state.job) for state in states)
    alerts = _read_open_alerts(states)
    looked_at = {state.pk for state in states}
    requests = waiting_activations.read_oldest_activation_by_job(
        [each.job.pk for each in all_changes if each.rules.late_after is not None]
    )
    facts_by_job = _read_alert_facts(all_changes, alerts, requests, now)
    for changes in all_changes:
        add_time_based_alert_changes(changes, facts_by_job[changes.job.pk], now)
    _add_reasons_of_lateness(all_changes, now)
    _add_hosts_of_slow_runs(all_changes, facts_by_job)
    reported = any(all_changes)
    alert_episodes.write_alert_changes(all_changes, now)
    reported |= _report_open_alerts_again(all_changes, alerts, now)
    write_states(states, alert_episodes.ALERT_COLUMNS)
    _plan_lateness_checks(requests, {changes.job.pk: changes for changes in all_changes}, now)
    done = [pk for pk, job_id in late_activations.items() if job_id in looked_at]
    Activation.objects.filter(pk__in=done, late_at__lte=now).update(late_at=None)
    return max(len(states), len(done)), reported


def _plan_lateness_checks(
    activations: Mapping[int, Activation], all_changes: Mapping[int, AlertChanges], now: dt.datetime
) -> None:
    """Set the check time of activations that are not late yet, as after a pause: a claim may overwrite ``alert_at``."""
    later = []
    for row in activations.values():
        state = all_changes[row.target_id].state
        is_planned = row.late_at is not None and row.late_at > now
        if not is_planned and state.alert_at is not None and not is_alert_open(state, AlertKind.LATE):
            row.late_at = state.alert_at
            later.append(row)
    if later:
        Activation.objects.bulk_update(later, ["late_at"])


def _read_open_alerts(states: Sequence[JobState]) -> dict[int | None, list[Alert]]:
    """By job: its open alerts. One statement; none if no alert is open."""
    found: dict[int | None, list[Alert]] = defaultdict(list)
    marked = [state.pk for state in states if state.alerts_open]
    for alert in Alert.objects.filter(job__in=marked, ended_at=None).order_by("pk") if marked else ():
        found[alert.job_id].append(alert)
    return found


def _read_alert_facts(
    all_changes: Sequence[AlertChanges],
    alerts: dict[int | None, list[Alert]],
    activations: Mapping[int, Activation],
    now: dt.datetime,
) -> dict[int, AlertFacts]:
    """By job: the facts for its alerts. Two statements: for the open runs, and for the pause over all jobs."""
    ids = [changes.job.pk for changes in all_changes]
    runs = {lease.job_id: lease.run for lease in Lease.objects.filter(job__in=ids, slot="").select_related("run")}
    switch = Switch.objects.filter(pk=SWITCH_ID).annotate(is_copy=installation.database_copied_condition()).first()
    all_paused = switch is not None and (switch.paused_at is not None or switch.is_copy)
    found = {}
    for changes in all_changes:
        group = changes.job.group
        resumed = [switch.resumed_at if switch else None, group.resumed_at if group else None]
        overdue = [each for each in alerts[changes.job.pk] if each.kind == AlertKind.OVERDUE]
        found[changes.job.pk] = AlertFacts(
            runs.get(changes.job.pk),
            all_paused or (group is not None and group.paused_at is not None),
            max(filter(None, resumed), default=None),
            _is_in_blackout(changes.state, now),
            dt.datetime.fromisoformat(overdue[-1].args["instant"]) if overdue else None,
            activations[changes.job.pk].made_at if changes.job.pk in activations else None,
        )
    return found


def _is_in_blackout(state: JobState, now: dt.datetime) -> bool:
    try:
        return are_all_due_instants_in_blackouts(state, now)
    except Exception:  # an error of one schedule concerns this job alone; a claim reports it
        return False


def _add_reasons_of_lateness(all_changes: Sequence[AlertChanges], now: dt.datetime) -> None:
    """Add the known reasons why jobs are late. A constant number of statements; none without such jobs."""
    late = {
        changes.job.pk: found for changes in all_changes for found in changes.raised if found.kind == AlertKind.LATE
    }
    if late:
        states = [changes.state for changes in all_changes if changes.job.pk in late]
        for pk, text in explanations.explanation_texts(states, now).items():
            late[pk].args["why"] = text


def _add_hosts_of_slow_runs(all_changes: Sequence[AlertChanges], facts_by_job: Mapping[int, AlertFacts]) -> None:
    """Add the hosts where runs on every host take too long. One statement; none without such runs."""
    slow = [
        (run, found)
        for changes in all_changes
        for found in changes.raised
        if found.kind == AlertKind.SLOW
        and (run := facts_by_job[changes.job.pk].open_run) is not None
        and run.required_host == EVERY_HOST
    ]
    children = defaultdict(list)
    of_slow = Run.objects.filter(parent__in=[run.pk for run, _found in slow]).order_by("required_host")
    for child in of_slow if slow else ():
        children[child.parent_id].append(child)
    for run, found in slow:
        found.args["why"] = host_runs.compute_parent_outcome(run, children[run.pk])[1].to_text()


def _report_open_alerts_again(
    all_changes: Sequence[AlertChanges], alerts: dict[int | None, list[Alert]], now: dt.datetime
) -> bool:
    """Report open alerts again: those whose mute has ended, and those whose messages are to be repeated."""
    due = []
    going_on = [(each, one) for each in all_changes for one in alerts[each.job.pk] if one.kind not in each.ended]
    muted = alert_mutes.read_mute_end_time_by_job({changes.job.pk: changes.job for changes, _alert in going_on}, now)
    for changes, alert in going_on:
        until, repeat = muted.get(changes.job.pk), changes.rules.repeat_after
        next_at = now if alert.reported_at is None else alert.reported_at + repeat if repeat else None
        if until is None and next_at is not None and next_at <= now:
            alert.job = changes.job
            due.append(alert)
            next_at = now + repeat if repeat else None
        if next_at is not None:
            moments = [changes.state.alert_at, max(next_at, until or next_at)]
            changes.state.alert_at = min(filter(None, moments))
    if due:
        Alert.objects.filter(pk__in=[alert.pk for alert in due]).update(reported_at=now)
        write_alert_messages([AlertEvent(alert, alert.event) for alert in due])
    return bool(due)


def select_pauses_that_change_alerts() -> list[QuerySet[Any]]:
    """The switch and the groups with a change that the alerts of their jobs depend on.

    A pause by the settings leaves a mark. If a process without ``CHRONIKER_PAUSED`` reads it, the pause has ended.
    """
    unseen = Q(alert_revision__gt=F("alert_revision_seen"))
    other_settings = ~Q(alert_settings=hash_alert_settings())
    return [
        Switch.objects.filter(unseen | other_settings | Q(paused_by_settings_at__isnull=False), pk=SWITCH_ID),
        Group.objects.filter(unseen),
    ]


def schedule_alert_checks_after_changes() -> None:
    """Let the next tick check the alerts of the jobs of ``select_pauses_that_change_alerts``, portion by portion."""
    if Switch.objects.filter(pk=SWITCH_ID).exclude(paused_by_settings_at=None).update(paused_by_settings_at=None):
        set_lateness_start_to_now()
    switches, groups = select_pauses_that_change_alerts()
    for revision in list(switches.values_list("alert_revision", flat=True)):
        _schedule_alert_checks_of_group(None)
        Switch.objects.filter(pk=SWITCH_ID).update(alert_settings=hash_alert_settings(), alert_revision_seen=revision)
    for pk, revision in list(groups.values_list("pk", "alert_revision")):
        _schedule_alert_checks_of_group(pk)
        Group.objects.filter(pk=pk).update(alert_revision_seen=revision)


def _schedule_alert_checks_of_group(group_id: int | None) -> None:
    jobs = Job.objects.filter(enabled=True) if group_id is None else Job.objects.filter(enabled=True, group=group_id)
    after = 0
    while ids := list(jobs.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:MAX_JOBS_PER_TRANSACTION]):
        alert_mutes.schedule_alert_checks(ids)
        after = ids[-1]


def set_lateness_start_to_now() -> None:
    """Let lateness count from now at the earliest. Call it after a time in which nothing could start."""
    Switch.objects.filter(pk=SWITCH_ID).update(resumed_at=NowPlus(), alert_revision=F("alert_revision") + 1)


def record_pause_by_settings() -> None:
    """Record that ``CHRONIKER_PAUSED`` pauses all jobs, unless another process ticks without it. One statement."""
    recent = Ticker.objects.filter(is_paused=False, last_at__gt=NowPlus(-settings.tick_timeout))
    rows = Switch.objects.filter(~Exists(recent), pk=SWITCH_ID, paused_by_settings_at=None)
    rows.update(paused_by_settings_at=NowPlus())


def hash_alert_settings() -> str:
    """A hash of ``CHRONIKER_ALERTS``; empty without it. If another hash is stored, a tick checks all jobs."""
    if not settings.alerts:
        return ""
    text = json.dumps(settings.alerts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
