"""The health of the scheduler: tick, workers, backlog, clock, mails. What could not be read is unknown, never good."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker.conf import settings
from chroniker.eligibility import draining, liveness
from chroniker.eligibility.hosts import CLOCK_SKEW_WARNING_SECONDS, suspension_reason
from chroniker.eligibility.liveness import TICKER_WRITE_INTERVAL, WaitingQueue
from chroniker.insights import health_facts
from chroniker.insights.health_facts import HealthFacts
from chroniker.models import Host, HostService, Ticker
from chroniker.wording.formats import coarse_duration, format_count, relative, short_duration, short_time

Level = Literal["good", "warn", "bad", "unknown"]
LEVELS_BY_SEVERITY: tuple[Level, ...] = ("good", "unknown", "warn", "bad")

QUEUE_WAIT_LIMIT, VERY_LATE_AFTER = dt.timedelta(minutes=5), dt.timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class ComponentHealth:
    """``since``: when the trouble began, if it is known. ``alarm``: the trouble as a sentence, for every page."""

    level: Level
    headline: str
    detail: str = ""
    since: dt.datetime | None = None
    alarm: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    tick: ComponentHealth
    workers: ComponentHealth
    backlog: ComponentHealth
    clock: ComponentHealth
    mails: ComponentHealth

    @property
    def level(self) -> Level:
        """The worst of its cells."""
        return max((self.tick, self.workers, self.backlog, self.clock, self.mails), key=_severity).level


def _severity(cell: ComponentHealth) -> int:
    return LEVELS_BY_SEVERITY.index(cell.level)


def fetch_health(now: dt.datetime) -> Health:
    """Five statements; none if they were executed less than 3 s ago. Raises no error: if the facts cannot
    be read, everything is unknown."""
    facts = health_facts.get_cached_health_facts(now)
    if facts is None:
        unknown = ComponentHealth("unknown", _("unknown"), _("The health could not be read."), now)
        return Health(unknown, unknown, unknown, unknown, unknown)
    return Health(
        tick_health(facts, now),
        worker_health(facts, now),
        backlog_health(facts, now),
        clock_health(facts, now),
        message_health(facts, now),
    )


def max_age_of_last_pass(ticker: Ticker, periods: int) -> dt.timedelta:
    """The highest allowed age of the ticker's last recorded pass, if ``periods`` periods may go by without a pass."""
    return dt.timedelta(seconds=periods * ticker.period + ticker.pass_seconds) + TICKER_WRITE_INTERVAL


def tick_health(facts: HealthFacts, now: dt.datetime) -> ComponentHealth:
    """Uses the ticker with the smallest delay, because one process that ticks is enough."""
    if not facts.tickers:
        text = _("No process has ticked yet. Start celery beat or manage.py cronserver.")
        return ComponentHealth("bad", _("nothing ticks"), text, alarm=_no_tick_sentence())
    best = min(facts.tickers, key=lambda ticker: now - ticker.last_at - max_age_of_last_pass(ticker, 2))
    age = now - best.last_at
    where = _("%(kind)s on %(host)s, every %(period)s") % {
        "kind": best.kind,
        "host": best.host,
        "period": short_duration(best.period),
    }
    if age <= max_age_of_last_pass(best, 2):
        if host := draining_host_if_all_hosts_drain(facts, now):
            return ComponentHealth("warn", _("draining"), str(draining.drain_message(host)), host.draining_since)
        return ComponentHealth("good", relative(min(best.last_at, now), now), where)
    level: Level = "bad" if age > max_age_of_last_pass(best, 3) else "warn"
    headline = _("nothing ticks") if level == "bad" else _("late")
    text = _("The last tick was %(ago)s (%(where)s). Start celery beat or manage.py cronserver.")
    words = {"ago": relative(best.last_at, now), "where": where}
    return ComponentHealth(level, headline, text % words, best.last_at, _no_tick_sentence() if level == "bad" else "")


def draining_host_if_all_hosts_drain(facts: HealthFacts, now: dt.datetime) -> Host | None:
    """One of the hosts that tick, if all of them are draining: then no run is claimed."""
    known = {host.name: host for host in facts.hosts if host.draining_since is not None}
    ticking = {ticker.host for ticker in facts.tickers if now - ticker.last_at <= max_age_of_last_pass(ticker, 2)}
    return known[min(ticking)] if ticking and ticking <= known.keys() else None


def _no_tick_sentence() -> str:
    return _("Nothing ticks, so no run starts.")


def worker_health(facts: HealthFacts, now: dt.datetime) -> ComponentHealth:
    live, silent = _split_live_and_silent(facts.services, now)
    if live:
        text = ngettext("%(n)d alive", "%(n)d alive", len(live)) % {"n": len(live)}
        lost = [service for service in silent if service.worker not in {each.worker for each in live}]
        if lost:
            words = {"worker": _worker_name(lost[0]), "ago": relative(lost[0].last_seen, now)}
            return ComponentHealth("warn", text, _("%(worker)s was last seen %(ago)s.") % words, lost[0].last_seen)
        return ComponentHealth("good", text, _busy_slots_text(live))
    if silent:
        words = {"worker": _worker_name(silent[0]), "ago": relative(silent[0].last_seen, now)}
        return ComponentHealth(
            "bad", _("none alive"), _("%(worker)s was last seen %(ago)s.") % words, silent[0].last_seen
        )
    return ComponentHealth("bad", _("none alive"), _("No worker was seen in the last 24 hours."))


def _split_live_and_silent(
    services: list[HostService], now: dt.datetime
) -> tuple[list[HostService], list[HostService]]:
    """Live and silent workers, each with the latest heartbeat first."""
    live = [service for service in services if now - service.last_seen <= settings.host_timeout]
    return live, [service for service in services if now - service.last_seen > settings.host_timeout]


def _worker_name(service: HostService) -> str:
    return service.worker or f"{service.executor}@{service.host.name}"


def _busy_slots_text(live: list[HostService]) -> str:
    known = [service for service in live if service.slots is not None and service.busy is not None]
    if not known:
        return ""
    busy, slots = sum(service.busy or 0 for service in known), sum(service.slots or 0 for service in known)
    return _("%(busy)s of %(slots)s slots busy") % {"busy": format_count(busy), "slots": format_count(slots)}


def queues_without_worker(facts: HealthFacts, now: dt.datetime) -> list[WaitingQueue]:
    """Queues in which runs wait and that no live worker consumes."""
    return liveness.select_queues_without_worker(facts.queues, facts.services, now)


def backlog_health(facts: HealthFacts, now: dt.datetime) -> ComponentHealth:
    queued = sum(queue.queued_run_count for queue in facts.queues)
    if unserved := queues_without_worker(facts, now):
        worst = unserved[0]
        text = ngettext(
            "No worker consumes the queue “%(queue)s”; %(n)s run waits.",
            "No worker consumes the queue “%(queue)s”; %(n)s runs wait.",
            worst.queued_run_count,
        )
        words = {"queue": worst.name or worst.executor, "n": format_count(worst.queued_run_count)}
        since = worst.oldest_claimed_at
        return ComponentHealth("bad", _("no worker"), text % words, since, _("Runs wait for a worker."))
    if facts.overdue_since is not None:
        level: Level = "bad" if now - facts.overdue_since > VERY_LATE_AFTER else "warn"
        text = _("A job has been due since %(time)s and has not been claimed.") % {
            "time": short_time(facts.overdue_since, now)
        }
        return ComponentHealth(level, _("jobs are overdue"), text, facts.overdue_since)
    if not queued:
        return ComponentHealth("good", _("nothing waits"))
    oldest = min(queue.oldest_claimed_at for queue in facts.queues)
    words = {"n": format_count(queued), "time": coarse_duration(now - oldest)}
    detail = _("The oldest queued run has been waiting for %(time)s.") % words
    if now - oldest > QUEUE_WAIT_LIMIT:
        return ComponentHealth("warn", _("%(n)s queued") % words, detail, oldest)
    return ComponentHealth("good", _("%(n)s queued") % words, detail)


def clock_health(facts: HealthFacts, now: dt.datetime) -> ComponentHealth:
    hosts = [host for host in facts.hosts if now - host.last_seen <= settings.host_timeout]
    for host in hosts:
        if host.suspended_until is not None and host.suspended_until > now:
            text = _("%(why)s The host “%(host)s” starts no runs until %(time)s.")
            words = {"why": suspension_reason(host), "host": host.name, "time": short_time(host.suspended_until, now)}
            return ComponentHealth("bad", _("host suspended"), text % words)
    skewed = [host for host in hosts if host.clock_skew_seconds is not None]
    if not skewed:
        return ComponentHealth("unknown", _("unknown"), _("No live host has reported its clock."))
    worst = max(skewed, key=lambda host: abs(host.clock_skew_seconds or 0))
    skew = worst.clock_skew_seconds or 0.0
    words = {"host": worst.name, "skew": f"{skew:+.1f}"}
    if abs(skew) > CLOCK_SKEW_WARNING_SECONDS:
        text = _("The clock of “%(host)s” differs from the database's clock by %(skew)s s. Synchronize it with NTP.")
        return ComponentHealth("warn", _("%(skew)s s off") % words, text % words)
    return ComponentHealth("good", _("at most %(time)s off") % {"time": short_duration(abs(skew))})


def message_health(facts: HealthFacts, now: dt.datetime) -> ComponentHealth:
    if not facts.late_messages:
        return ComponentHealth("good", _("none late"))
    first = facts.late_messages[0]
    n = len(facts.late_messages)
    words = {"n": f"{n}+" if n >= health_facts.MAX_MESSAGES else format_count(n), "error": first.error}
    level: Level = "bad" if now - first.since > VERY_LATE_AFTER else "warn"
    detail = _("Not sent: %(error)s") % words if first.error else _("They wait to be sent.")
    return ComponentHealth(level, _("%(n)s late") % words, detail, first.since)
