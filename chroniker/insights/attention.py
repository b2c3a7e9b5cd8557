"""What needs a person, the worst first. Read-only; a constant number of statements."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker.insights import health, health_facts, jobs_in_trouble
from chroniker.insights.health_facts import HealthFacts
from chroniker.models import Job, JobState, Run, Status
from chroniker.wording.formats import as_sentence, coarse_duration, format_count, relative, short_time

#: Items that are read of each kind; the page shows fewer, and says that there are more.
MAX_ITEMS_PER_KIND = health_facts.MAX_PROBLEMS_PER_KIND


@dataclass(frozen=True, slots=True)
class AttentionItem:
    """One problem that a person must look at.

    ``kind``: "no_tick", "failing", "held", "lost", "overdue", "no_worker", "alert_KIND", "schedule_error" or "mails".
    ``job``: None if it concerns no job. ``run_id``: the run that shows the cause. ``problem``: what is wrong. ``why``:
    the cause and what happens next. ``error``: the last line on stderr.
    """

    kind: str
    job: Job | None
    since: dt.datetime | None
    run_id: UUID | None
    problem: str
    why: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class AttentionList:
    """``items``: at most ``MAX_ITEMS_PER_KIND`` of each kind. ``is_complete``: whether all kinds could be read."""

    items: list[AttentionItem]
    is_complete: bool


def fetch_attention_items(now: dt.datetime) -> AttentionList:
    """All items. Six statements, besides those for the health: failing jobs, their last runs, lost runs, overdue jobs,
    alerts, schedule errors."""
    facts = health_facts.get_cached_health_facts(now)
    by_kind = [
        *(_no_tick_items(facts, now) if facts else ()),
        *_failing_job_items(now),
        *_lost_run_items(now),
        *(_overdue_job_items(facts, now) if facts else ()),
        *(_no_worker_items(facts, now) if facts else ()),
        *_alert_items(),
        *_schedule_error_items(),
        *(_late_message_items(facts, now) if facts else ()),
    ]
    return AttentionList(by_kind, facts is not None)


def count_attention_items(now: dt.datetime) -> int:
    """The number of items of ``fetch_attention_items``, counted from the facts of the health."""
    facts = health_facts.get_cached_health_facts(now)
    if facts is None:
        return 0
    others = (_no_tick_items(facts, now), _no_worker_items(facts, now), _late_message_items(facts, now))
    return facts.problem_count + sum(len(list(items)) for items in others)


def _no_tick_items(facts: HealthFacts, now: dt.datetime) -> Iterator[AttentionItem]:
    cell = health.tick_health(facts, now)
    if cell.level == "bad":
        yield AttentionItem("no_tick", None, cell.since, None, _("Nothing ticks."), cell.detail)


def _failing_job_items(now: dt.datetime) -> Iterator[AttentionItem]:
    """Enabled jobs whose last chains of attempts ended badly, those that fail for longest first."""
    states = list(
        jobs_in_trouble.failing_states().select_related("job").order_by("failing_since", "pk")[:MAX_ITEMS_PER_KIND]
    )
    runs = _fetch_last_failures(states)
    for state in states:
        run = runs.get(state.pk)
        words = {"n": format_count(state.failures), "since": short_time(state.failing_since, now)}
        text = ngettext("Failed once, at %(since)s.", "Failed %(n)s times in a row since %(since)s.", state.failures)
        why = " ".join(
            filter(None, [as_sentence(run.reason_without_output) if run else "", _next_run_sentence(state, now)])
        )
        kind, problem = "failing", text % words
        if state.held_at is not None:
            held = {"token": state.held_by_run, "since": short_time(state.held_at, now)}
            kind, problem = "held", _("Held since run %(token)s failed at %(since)s.") % held
        yield AttentionItem(
            kind, state.job, state.failing_since, run.pk if run else None, problem, why, run.error_line if run else ""
        )


def _fetch_last_failures(states: list[JobState]) -> dict[int, Run]:
    """The latest badly ended run of each job, among its last runs. Uses the index on (job, token)."""
    recent = Q()
    for state in states:
        recent |= Q(job=state.pk, token__gt=state.last_token - 20)
    if not states:
        return {}
    bad = Run.objects.filter(recent, slot="", status__in=[Status.FAILED, Status.TIMED_OUT, Status.LOST])
    return {run.job_id: run for run in bad.order_by("token")}


def _next_run_sentence(state: JobState, now: dt.datetime) -> str:
    if state.held_at is not None:
        return _("Its scheduled runs wait until it is resumed.")
    if state.retry_at is not None:
        if state.retry_at <= now:
            return _("Its retry is due.")
        return _("It will be retried %(time)s.") % {"time": relative(state.retry_at, now)}
    if state.next_run is None:
        return ""
    if state.next_run <= now:
        return _("Its next run is due.")
    return _("Next run %(time)s.") % {"time": relative(state.next_run, now)}


def _lost_run_items(now: dt.datetime) -> Iterator[AttentionItem]:
    """Runs lost in the last 24 hours without a later success of their job. Failing jobs are left out:
    they have their own item."""
    rows = (
        jobs_in_trouble.unresolved_lost_runs(now - jobs_in_trouble.LOST_RUN_ATTENTION_TIME)
        .select_related("job__state")
        .order_by("-claimed_at")
    )
    seen: set[int] = set()
    for run in rows[:MAX_ITEMS_PER_KIND]:
        if run.job_id not in seen:
            seen.add(run.job_id)
            problem = _("Lost %(time)s.") % {"time": relative(run.finished_at, now)}
            why = " ".join(
                filter(None, [as_sentence(run.reason_without_output), _next_run_sentence(run.job.state, now)])
            )
            yield AttentionItem("lost", run.job, run.finished_at, run.pk, problem, why, run.error_line)


def _overdue_job_items(facts: HealthFacts, now: dt.datetime) -> Iterator[AttentionItem]:
    for state in health_facts.overdue_states(now - health_facts.overdue_threshold(facts.tickers))[:MAX_ITEMS_PER_KIND]:
        assert state.next_run is not None
        problem = _("Due since %(time)s.") % {"time": short_time(state.next_run, now)}
        yield AttentionItem("overdue", state.job, state.next_run, None, problem, health.tick_health(facts, now).detail)


def _no_worker_items(facts: HealthFacts, now: dt.datetime) -> Iterator[AttentionItem]:
    for queue in health.queues_without_worker(facts, now)[:MAX_ITEMS_PER_KIND]:
        words = {
            "queue": queue.name or queue.executor,
            "n": format_count(queue.queued_run_count),
            "time": coarse_duration(now - queue.oldest_claimed_at),
        }
        problem = _("No worker consumes the queue “%(queue)s”.") % words
        text = ngettext(
            "%(n)s run has been waiting for %(time)s. Start a worker for this queue.",
            "%(n)s runs have been waiting, the oldest for %(time)s. Start a worker for this queue.",
            queue.queued_run_count,
        )
        yield AttentionItem("no_worker", None, queue.oldest_claimed_at, None, problem, text % words)


def _alert_items() -> Iterator[AttentionItem]:
    for alert in (
        jobs_in_trouble.open_alerts_about_time_or_backfill()
        .select_related("job")
        .order_by("raised_at", "pk")[:MAX_ITEMS_PER_KIND]
    ):
        yield AttentionItem(
            f"alert_{alert.kind}", alert.job, alert.raised_at, alert.run_id, alert.text_with_time_format(short_time)
        )


def _schedule_error_items() -> Iterator[AttentionItem]:
    for state in (
        jobs_in_trouble.states_with_schedule_error()
        .select_related("job")
        .order_by("schedule_error_since", "pk")[:MAX_ITEMS_PER_KIND]
    ):
        problem = _("Its schedule cannot be computed.")
        why = _("%(error)s Edit the schedule so that the job can run again.") % {
            "error": f"{state.schedule_error.rstrip('.')}."
        }
        yield AttentionItem("schedule_error", state.job, state.schedule_error_since, None, problem, why)


def _late_message_items(facts: HealthFacts, now: dt.datetime) -> Iterator[AttentionItem]:
    cell = health.message_health(facts, now)
    if cell.level in ("warn", "bad"):
        yield AttentionItem(
            "mails", None, cell.since, None, _("Messages: %(late)s.") % {"late": cell.headline}, cell.detail
        )
