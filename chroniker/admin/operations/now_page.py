"""The start page: whether a person must act, what runs and waits, the last 24 hours, and the next hour."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from chroniker.admin.operations.attention_rows import SHOWN, attention_rows
from chroniker.admin.operations.now_pictures import day_bars, hour_bars
from chroniker.admin.shared.console_bar import permission_test
from chroniker.admin.shared.console_page import render_console_page
from chroniker.admin.shared.site_links import admin_url, job_url
from chroniker.clock.database_clock import database_now
from chroniker.insights.attention import Attention, fetch_attention
from chroniker.insights.current_work import RunningRun, WaitingJob, fetch_current_work
from chroniker.insights.day_counts import DayCounts, fetch_day_counts
from chroniker.insights.first_steps import fetch_first_steps
from chroniker.insights.next_hour import NextHour, fetch_next_hour
from chroniker.insights.run_list import ANY_BAD
from chroniker.models import Run
from chroniker.wording.formats import format_count, percent, relative, short_duration, short_time

#: The id of an element, and the template of its content.
FRAGMENTS = {
    "ops-sentence": "chroniker/console/now/sentence.html",
    "now-steps": "chroniker/console/now/steps.html",
    "now-health": "chroniker/console/now/health.html",
    "now-attention": "chroniker/console/now/attention.html",
    "now-running": "chroniker/console/now/running.html",
    "now-waiting": "chroniker/console/now/waiting.html",
    "now-day": "chroniker/console/now/day.html",
    "now-hour": "chroniker/console/now/hour.html",
}


def now_view(job_admin: Any, request: HttpRequest) -> HttpResponse:
    if not job_admin.has_view_or_change_permission(request):
        raise PermissionDenied
    may, now = permission_test(request), database_now()
    work = fetch_current_work(now)
    steps = None if work.n_running or work.n_queued else fetch_first_steps(now)
    context = {
        "title": _("Now"),
        "now": now,
        "work": work,
        "steps": steps,
        "open_steps": [step.value for step in steps.open] if steps else [],
        "running": [_running_row(each, now, may) for each in work.running],
        "waiting": [_waiting_row(each, may) for each in work.waiting],
        "pause_url": admin_url("chroniker_job_pause") if may("pause_jobs") else "",
        "add_url": admin_url("chroniker_job_add") if may("add_job") else "",
        "runs_url": admin_url("chroniker_run_changelist") if may("view_run") else "",
        **_attention_context(fetch_attention(now), may),
        **_day_context(fetch_day_counts(now), may),
        **_hour_context(fetch_next_hour(now), now),
    }
    return render_console_page(
        job_admin.admin_site, request, "chroniker/console/now/page.html", "now", context, FRAGMENTS
    )


def _running_row(each: RunningRun, now: dt.datetime, may: Any) -> dict[str, Any]:
    run, total = each.run, each.lease.total_parts
    done = min(each.lease.total_parts_complete or 0, total) if total and total > 0 else None
    return {
        "key": run.pk,
        "name": each.lease.job.name,
        "url": _run_url(run.pk, may) or job_url(each.lease.job_id),
        "done": done,
        "total": total if done is not None else None,
        "progress": _progress_text(done, total),
        "end": _end_text(each, now),
        "started": run.started_at,
        "where": run.worker or run.host,
        "stopping": run.stop_requested_at is not None,
        "stop_url": admin_url("chroniker_run_stop", run.pk) if may("stop_job") else "",
    }


def _progress_text(done: int | None, total: int | None) -> str:
    if done is None or not total:
        return _("no progress reported")
    if total == 100:
        return _("%(n)d %%") % {"n": done}
    return _("%(done)s of %(total)s") % {"done": format_count(done), "total": format_count(total)}


def _end_text(each: RunningRun, now: dt.datetime) -> str:
    """“3 min left, 09:44”; without progress “usually 88 s”."""
    if each.estimate.by_rate is not None and each.estimate.by_rate > now:
        left = relative(each.estimate.by_rate, now)
        return _("ends %(left)s, %(time)s") % {"left": left, "time": short_time(each.estimate.by_rate, now)}
    return _("usually %(time)s") % {"time": short_duration(each.usual)} if each.usual is not None else ""


def _waiting_row(each: WaitingJob, may: Any) -> dict[str, Any]:
    run_url = _run_url(each.run.pk, may) if each.run is not None else ""
    return {
        "key": each.job.pk,
        "name": each.job.name,
        "code": each.code,
        "url": run_url or job_url(each.job.pk),
        "since": each.since,
        "why": each.why or (_queued_text(each.run) if each.run is not None else ""),
    }


def _queued_text(run: Run) -> str:
    if run.queue:
        return _("No worker of the queue %(queue)s has taken it yet.") % {"queue": run.queue}
    return _("No worker has taken it yet.")


def _run_url(pk: Any, may: Any) -> str:
    return admin_url("chroniker_run_change", pk) if may("view_run") else ""


def _attention_context(found: Attention, may: Any) -> dict[str, Any]:
    kinds = {item.kind for item in found.items}
    return {
        "attention": attention_rows(found.items, may),
        "attention_count": len(found.items),
        "attention_more": max(len(found.items) - SHOWN, 0),
        "attention_is_complete": found.is_complete,
        "nothing_ticks": "no_tick" in kinds,
        "jobs_url": admin_url("chroniker_job_changelist"),
    }


def _day_context(found: DayCounts, may: Any) -> dict[str, Any]:
    delay = found.delay_p95
    runs = admin_url("chroniker_run_changelist") if may("view_run") else ""
    bad = urlencode({"status": ANY_BAD, "from": found.parts[0].start.isoformat(timespec="minutes")})
    return {
        "day": found,
        "day_bars": day_bars(found),
        "day_success": percent(found.succeeded, found.succeeded + found.bad),
        "day_delay": _("over 5 min") if delay == float("inf") else short_duration(delay),
        "day_first": found.parts[0].start,
        "day_middle": found.parts[len(found.parts) // 2].start,
        "day_bad_url": f"{runs}?{bad}" if runs else "",
        "reliability_url": admin_url("chroniker_run_reliability") if may("view_run") else "",
    }


def _hour_context(found: NextHour, now: dt.datetime) -> dict[str, Any]:
    listed = [{"name": each.job.name, "url": job_url(each.job.pk), "at": each.at} for each in found.listed]
    return {
        "hour": found,
        "hour_bars": hour_bars(found, now),
        "hour_busiest": now + dt.timedelta(minutes=found.busiest),
        "hour_most": max(found.minutes),
        "hour_middle": now + dt.timedelta(minutes=30),
        "hour_end": now + dt.timedelta(minutes=60),
        "hour_listed": listed,
        "timeline_url": admin_url("chroniker_job_timeline"),
    }
