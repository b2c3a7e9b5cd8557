"""Look at the jobs whose alerts may have changed with time, batch by batch. Called by ticks."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, Q, QuerySet

from chroniker.clock.database_clock import FromNow
from chroniker.conf import settings
from chroniker.eligibility import explanations, waiting_activations
from chroniker.lifecycle import alert_episodes, alert_mutes, host_runs
from chroniker.lifecycle.alert_conditions import Change, changes_of, is_open
from chroniker.lifecycle.alert_messages import AlertEvent, announce
from chroniker.lifecycle.bulk import write_states
from chroniker.lifecycle.claim_plan import is_in_blackout
from chroniker.lifecycle.timed_alerts import Situation, add_time_changes
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
from chroniker.models.group import ALL
from chroniker.models.job import fetch_closed_times

PORTION = 1000


def look_at_alerts(now: dt.datetime, limit: int) -> tuple[int, bool]:
    """Look at the jobs whose time has come, at most ``limit``; returns how many, and whether messages were written.

    A constant number of statements. Jobs whose state another transaction has locked are left for the next tick.
    """
    rows = JobState.objects.filter(alert_at__lte=now).order_by("alert_at", "pk")
    ids = list(rows.values_list("pk", flat=True)[:limit])
    requests = waiting_activations.possibly_late_activations(now).order_by("late_at", "pk")
    waited = dict(requests.values_list("pk", "target")[:limit])
    return _look_at_jobs(ids, waited, now) if ids or waited else (0, False)


@transactional
def _look_at_jobs(job_ids: Collection[int], waited: dict[UUID, int], now: dt.datetime) -> tuple[int, bool]:
    """``waited``: activations whose time to look has come, each with its job."""
    due = Q(pk__in=job_ids, alert_at__lte=now) | Q(pk__in=set(waited.values()))
    states = list(lock_rows(JobState.objects.filter(due), skip=True))
    jobs = Job.objects.select_related("group").in_bulk([state.pk for state in states])
    fetch_closed_times(jobs.values())
    for state in states:
        state.job = jobs[state.pk]
    changes = changes_of((state, state.job) for state in states)
    alerts = _open_alerts(states)
    looked_at = {state.pk for state in states}
    requests = waiting_activations.oldest_waiting_by_job(
        [each.job.pk for each in changes if each.rules.start is not None]
    )
    situations = _situations(changes, alerts, requests, now)
    for change in changes:
        add_time_changes(change, situations[change.job.pk], now)
    _add_reasons_of_lateness(changes, now)
    _name_hosts(changes, situations)
    reported = any(changes)
    alert_episodes.write_changes(changes, now)
    reported |= _report_again(changes, alerts, now)
    write_states(states, alert_episodes.MARKS)
    _look_again_at(requests, {change.job.pk: change for change in changes}, now)
    done = [pk for pk, job_id in waited.items() if job_id in looked_at]
    Activation.objects.filter(pk__in=done, late_at__lte=now).update(late_at=None)
    return max(len(states), len(done)), reported


def _look_again_at(requests: Mapping[int, Activation], changes: Mapping[int, Change], now: dt.datetime) -> None:
    """Plan a look at activations that are not late yet, as after a pause. A claim may overwrite that of the state."""
    later = []
    for row in requests.values():
        state = changes[row.target_id].state
        is_planned = row.late_at is not None and row.late_at > now
        if not is_planned and state.alert_at is not None and not is_open(state, AlertKind.LATE):
            row.late_at = state.alert_at
            later.append(row)
    if later:
        Activation.objects.bulk_update(later, ["late_at"])


def _open_alerts(states: Sequence[JobState]) -> dict[int, list[Alert]]:
    """By job. One statement; none if none is open."""
    found: dict[int, list[Alert]] = defaultdict(list)
    marked = [state.pk for state in states if state.alerts_open]
    for alert in Alert.objects.filter(job__in=marked, ended_at=None).order_by("pk") if marked else ():
        found[alert.job_id or 0].append(alert)
    return found


def _situations(
    changes: Sequence[Change],
    alerts: dict[int, list[Alert]],
    requests: Mapping[int, Activation],
    now: dt.datetime,
) -> dict[int, Situation]:
    """Two statements: the open runs, and the pause over all jobs."""
    ids = [change.job.pk for change in changes]
    runs = {lease.job_id: lease.run for lease in Lease.objects.filter(job__in=ids, slot="").select_related("run")}
    switch = Switch.objects.filter(pk=ALL).annotate(is_copy=installation.is_copied()).first()
    all_paused = switch is not None and (switch.paused_at is not None or switch.is_copy)
    found = {}
    for change in changes:
        group = change.job.group
        resumed = [switch.resumed_at if switch else None, group.resumed_at if group else None]
        overdue = [each for each in alerts[change.job.pk] if each.kind == AlertKind.OVERDUE]
        found[change.job.pk] = Situation(
            runs.get(change.job.pk),
            all_paused or (group is not None and group.paused_at is not None),
            max(filter(None, resumed), default=None),
            _is_in_blackout(change.state, now),
            dt.datetime.fromisoformat(overdue[-1].args["instant"]) if overdue else None,
            requests[change.job.pk].made_at if change.job.pk in requests else None,
        )
    return found


def _is_in_blackout(state: JobState, now: dt.datetime) -> bool:
    try:
        return bool(state.job.closed_times) and state.next_instant is not None and is_in_blackout(state, now)
    except Exception:  # an error of one schedule concerns this job alone; a claim reports it
        return False


def _add_reasons_of_lateness(changes: Sequence[Change], now: dt.datetime) -> None:
    """Add the known reasons why jobs are late. A constant number of statements; none without such jobs."""
    late = {change.job.pk: found for change in changes for found in change.raised if found.kind == AlertKind.LATE}
    if late:
        states = [change.state for change in changes if change.job.pk in late]
        for pk, text in explanations.explanation_texts(states, now).items():
            late[pk].args["why"] = text


def _name_hosts(changes: Sequence[Change], situations: Mapping[int, Situation]) -> None:
    """Add the hosts where runs on every host take too long. One statement; none without such runs."""
    slow = [
        (run, found)
        for change in changes
        for found in change.raised
        if found.kind == AlertKind.SLOW
        and (run := situations[change.job.pk].run) is not None
        and run.required_host == EVERY_HOST
    ]
    children = defaultdict(list)
    of_slow = Run.objects.filter(parent__in=[run.pk for run, _found in slow]).order_by("required_host")
    for child in of_slow if slow else ():
        children[child.parent_id].append(child)
    for run, found in slow:
        found.args["why"] = host_runs.parent_outcome(run, children[run.pk])[1].to_text()


def _report_again(changes: Sequence[Change], alerts: dict[int, list[Alert]], now: dt.datetime) -> bool:
    """Report open alerts whose mute has ended, or whose messages are repeated. At most two statements and messages."""
    due = []
    going_on = [(each, one) for each in changes for one in alerts[each.job.pk] if one.kind not in each.ended]
    muted = alert_mutes.muted_until({change.job.pk: change.job for change, _alert in going_on}, now)
    for change, alert in going_on:
        until, repeat = muted.get(change.job.pk), change.rules.repeat
        next_at = now if alert.reported_at is None else alert.reported_at + repeat if repeat else None
        if until is None and next_at is not None and next_at <= now:
            alert.job = change.job
            due.append(alert)
            next_at = now + repeat if repeat else None
        if next_at is not None:
            moments = [change.state.alert_at, max(next_at, until or next_at)]
            change.state.alert_at = min(filter(None, moments))
    if due:
        Alert.objects.filter(pk__in=[alert.pk for alert in due]).update(reported_at=now)
        announce([AlertEvent(alert, alert.event) for alert in due])
    return bool(due)


def changed_rows() -> list[QuerySet[Any]]:
    """The switch and the groups of which something changed that the alerts of their jobs depend on.

    A pause by the settings has ended if a process without it reads the mark of that pause.
    """
    unseen = Q(alert_revision__gt=F("alert_revision_seen"))
    other_settings = ~Q(alert_settings=settings_digest())
    return [
        Switch.objects.filter(unseen | other_settings | Q(paused_by_settings_at__isnull=False), pk=ALL),
        Group.objects.filter(unseen),
    ]


def mark_changed() -> None:
    """Let the ticks look at the jobs of ``changed_rows``: in portions, each a transaction."""
    if Switch.objects.filter(pk=ALL).exclude(paused_by_settings_at=None).update(paused_by_settings_at=None):
        begin_lateness_again()
    switches, groups = changed_rows()
    for revision in list(switches.values_list("alert_revision", flat=True)):
        _mark_jobs(None)
        Switch.objects.filter(pk=ALL).update(alert_settings=settings_digest(), alert_revision_seen=revision)
    for pk, revision in list(groups.values_list("pk", "alert_revision")):
        _mark_jobs(pk)
        Group.objects.filter(pk=pk).update(alert_revision_seen=revision)


def _mark_jobs(group_id: int | None) -> None:
    jobs = Job.objects.filter(enabled=True) if group_id is None else Job.objects.filter(enabled=True, group=group_id)
    after = 0
    while ids := list(jobs.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:PORTION]):
        alert_mutes.look_soon(ids)
        after = ids[-1]


def begin_lateness_again() -> None:
    """After a time in which nothing could start: lateness counts from now at the earliest."""
    Switch.objects.filter(pk=ALL).update(resumed_at=FromNow(), alert_revision=F("alert_revision") + 1)


def record_settings_pause() -> None:
    """Record that ``CHRONIKER_PAUSED`` pauses all jobs, unless another process ticks without it. One statement."""
    recent = Ticker.objects.filter(is_paused=False, last_at__gt=FromNow(-settings.tick_timeout))
    rows = Switch.objects.filter(~Exists(recent), pk=ALL, paused_by_settings_at=None)
    rows.update(paused_by_settings_at=FromNow())


def settings_digest() -> str:
    """Of ``CHRONIKER_ALERTS``: a tick that finds another one stored looks at all jobs. Empty: there are none."""
    if not settings.alerts:
        return ""
    text = json.dumps(settings.alerts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
