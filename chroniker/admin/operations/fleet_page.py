"""The fleet: ticks of the last hour, workers with their slots and versions, queues, hosts and their clocks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from chroniker.admin.operations.fleet_pictures import draw_clock_skew, draw_slots, draw_ticks
from chroniker.admin.shared.console_bar import make_permission_check
from chroniker.admin.shared.console_page import render_console_page
from chroniker.admin.shared.site_links import admin_url
from chroniker.clock.database_clock import database_now
from chroniker.eligibility.hosts import CLOCK_SKEW_WARNING_SECONDS, suspension_reason
from chroniker.insights.fleet import FleetHost, Queue, Worker, fetch_fleet, is_any_ticking
from chroniker.insights.tick_history import TickHistory, fetch_tick_history
from chroniker.models import Ticker
from chroniker.wording.formats import NO_VALUE_TEXT, short_duration

FRAGMENT_TEMPLATES = {
    "ops-sentence": "chroniker/console/fleet/sentence.html",
    "ticks": "chroniker/console/fleet/ticks.html",
    "workers": "chroniker/console/fleet/workers.html",
    "queues": "chroniker/console/fleet/queues.html",
    "hosts": "chroniker/console/fleet/hosts.html",
}


def render_fleet_page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """The page. The caller checks that the user may view hosts."""
    now = database_now()
    found, history = fetch_fleet(now), fetch_tick_history(now)
    has_permission, hosts = make_permission_check(request), [each.host for each in found.hosts]
    run_list_url = admin_url("chroniker_run_changelist") if has_permission("view_run") else ""
    context = {
        "title": _("Fleet"),
        "now": now,
        "fleet": found,
        "silent": len(found.workers) - len(found.live_workers),
        "wrong_clocks": [host.name for host in hosts if abs(host.clock_skew_seconds or 0) > CLOCK_SKEW_WARNING_SECONDS],
        "history": history,
        "ticker": _newest_ticker(found.tickers),
        "is_ticking": is_any_ticking(found.tickers, now),
        "ticks": draw_ticks(history),
        "tick_starts": [history.minutes[index].start for index in (0, 15, 30, 45)],
        "stats": _tick_stats(history),
        "workers": [_worker_row(worker) for worker in found.workers],
        "slots": _busy_slots_text(found.live_workers),
        "queues": [_queue_row(queue, run_list_url) for queue in found.queues],
        "hosts": [_host_row(each, now) for each in found.hosts],
        "tick_hosts": sorted({ticker.host for ticker in found.tickers if is_any_ticking([ticker], now)}),
    }
    return render_console_page(site, request, "chroniker/console/fleet/page.html", "fleet", context, FRAGMENT_TEMPLATES)


def _newest_ticker(tickers_newest_first: Sequence[Ticker]) -> Ticker | None:
    return tickers_newest_first[0] if tickers_newest_first else None


def _tick_stats(history: TickHistory) -> dict[str, Any]:
    gap = history.minute_with_longest_gap
    is_long = gap is not None and gap.longest_gap_seconds > 120
    return {
        "pass_p95": short_duration(history.pass_p95_seconds),
        "gap": short_duration(gap.longest_gap_seconds) if gap is not None else NO_VALUE_TEXT,
        "gap_at": gap.start if gap is not None else None,
        "gap_tone": "wait" if is_long else "",
    }


def _worker_row(worker: Worker) -> dict[str, Any]:
    service = worker.service
    return {
        "key": service.pk,
        "name": service.worker or service.host.name,
        "host": service.host.name,
        "executor": service.executor,
        "code": "alive" if worker.is_alive else "silent",
        "seen": service.last_seen,
        "queues": ", ".join(service.consumed_queues),
        "slots": draw_slots(service.slots, service.busy if worker.is_alive else 0),
        "started": service.started_at if worker.is_alive else None,
        "version": service.version,
        "is_older": worker.is_older,
    }


def _busy_slots_text(alive_workers: Sequence[Worker]) -> str:
    """“11 of 16 slots busy”: the sums over the workers that report their slots."""
    known = [worker.service for worker in alive_workers if worker.service.slots is not None]
    if not known:
        return ""
    words = {"busy": sum(each.busy or 0 for each in known), "slots": sum(each.slots or 0 for each in known)}
    return _("%(busy)d of %(slots)d slots busy") % words


def _queue_row(queue: Queue, run_list_url: str) -> dict[str, Any]:
    is_full = queue.code == "full"
    words = {"busy": queue.busy, "slots": queue.slots}
    return {
        "key": f"{queue.executor}/{queue.name}",
        "name": queue.name or _("executor %(name)s") % {"name": queue.executor or NO_VALUE_TEXT},
        "executor": queue.executor if queue.name else "",
        "queued": queue.queued_run_count,
        "runs_url": f"{run_list_url}?status=CLAIMED" if run_list_url and queue.queued_run_count else "",
        "oldest": queue.oldest_claimed_at,
        "workers": queue.worker_count,
        "wait": short_duration(queue.wait_p95_seconds),
        "code": queue.code,
        "word": _("Full, %(busy)d of %(slots)d") % words if is_full else "",
    }


def _host_row(fleet_host: FleetHost, now: dt.datetime) -> dict[str, Any]:
    host = fleet_host.host
    does = []
    if fleet_host.ticker_kinds:
        does.append(_("ticks (%(kinds)s)") % {"kinds": ", ".join(fleet_host.ticker_kinds)})
    if fleet_host.executor_names:
        does.append(_("executes runs of %(names)s") % {"names": ", ".join(fleet_host.executor_names)})
    suspended = host.suspended_until is not None and host.suspended_until > now
    return {
        "key": host.pk,
        "name": host.name,
        "does": ", ".join(does) or NO_VALUE_TEXT,
        "is_alive": fleet_host.is_alive,
        "seen": host.last_seen,
        "clock": draw_clock_skew(host.clock_skew_seconds),
        "suspended_until": host.suspended_until if suspended else None,
        "because": str(suspension_reason(host)) if suspended else "",
        "draining_since": host.draining_since,
        "draining_by": host.draining_by,
    }
