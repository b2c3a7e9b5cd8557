"""The start page: what needs attention, what runs and what waits, the last 24 hours, and the next hour."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from chroniker.admin.operations.attention_rows import MAX_ITEMS_SHOWN, attention_rows
from chroniker.admin.operations.now_pictures import draw_last_day_bars, draw_next_hour_bars
from chroniker.admin.shared.console_bar import make_permission_check
from chroniker.admin.shared.console_page import render_console_page
from chroniker.admin.shared.site_links import admin_url, job_url
from chroniker.clock.database_clock import database_now
from chroniker.insights.attention import AttentionList, fetch_attention_items
from chroniker.insights.current_work import RunningRun, WaitingJob, fetch_current_work
from chroniker.insights.day_counts import DayCounts, fetch_day_counts
from chroniker.insights.first_steps import fetch_first_steps
from chroniker.insights.next_hour import MAX_JOBS_COUNTED, NextHour, fetch_next_hour
from chroniker.insights.run_list import ANY_BAD_STATUS
from chroniker.models import Run
from chroniker.wording.formats import format_count, percent, relative, short_duration, short_time

#: Maps the id of an element to the template of its content.
FRAGMENT_TEMPLATES = {
    "ops-sentence": "chroniker/console/now/sentence.html",
    "now-steps": "chroniker/console/now/steps.html",
    "now-health": "chroniker/console/now/health.html",
    "now-attention": "chroniker/console/now/attention.html",
    "now-running": "chroniker/console/now/running.html",
    "now-waiting": "chroniker/console/now/waiting.html",
    "now-day": "chroniker/console/now/day.html",
    "now-hour": "chroniker/console/now/hour.html",
}


def now_page_view(job_admin: Any, request: HttpRequest) -> HttpResponse:
    if not job_admin.has_view_or_change_permission(request):
        raise PermissionDenied
    has_permission, now = make_permission_check(request), database_now()
    work = fetch_current_work(now)
    steps = None if work.n_running or work.n_queued else fetch_first_steps(now)
    context = {
        "title": _("Now"),
        "now": now,
        "work": work,
        "steps": steps,
        "open_steps": [step.value for step in steps.remaining_steps] if steps else [],
        "running": [_running_run_row(each, now, has_permission) for each in work.running],
        "waiting": [_waiting_job_row(each, has_permission) for each in work.waiting],
        "pause_url": admin_url("chroniker_job_pause") if has_permission("pause_jobs") else "",
        "add_url": admin_url("chroniker_job_add") if has_permission("add_job") else "",
        "runs_url": admin_url("chroniker_run_changelist") if has_permission("view_run") else "",
        **_attention_context(fetch_attention_items(now), has_permission),
        **_last_day_context(fetch_day_counts(now), has_permission),
        **_next_hour_context(fetch_next_hour(now), now),
    }
    return render_console_page(
        job_admin.admin_site, request, "chroniker/console/now/page.html", "now", context, FRAGMENT_TEMPLATES
    )


def _running_run_row(running_run: RunningRun, now: dt.datetime, has_permission: Any) -> dict[str, Any]:
    run, total = running_run.run, running_run.lease.total_parts
    done = min(running_run.lease.total_parts_complete or 0, total) if total and total > 0 else None
    return {
        "key": run.pk,
        "name": running_run.lease.job.name,
        "url": _run_url(run.pk, has_permission) or job_url(running_run.lease.job_id),
        "done": done,
        "total": total if done is not None else None,
        "progress": _progress_text(done, total),
        "end": _estimated_end_text(running_run, now),
        "started": run.started_at,
        "where": run.worker or run.host,
        "stopping": run.stop_requested_at is not None,
        "stop_url": admin_url("chroniker_run_stop", run.pk) if has_permission("stop_job") else "",
    }


def _progress_text(done: int | None, total: int | None) -> str:
    if done is None or not total:
        return _("no progress reported")
    if total == 100:
        return _("%(n)d %%") % {"n": done}
    return _("%(done)s of %(total)s") % {"done": format_count(done), "total": format_count(total)}


def _estimated_end_text(running_run: RunningRun, now: dt.datetime) -> str:
    """“ends in 3 min, 09:44”; “usually 88 s” if the run reports no progress."""
    if running_run.estimate.end_by_progress is not None and running_run.estimate.end_by_progress > now:
        left = relative(running_run.estimate.end_by_progress, now)
        return _("ends %(left)s, %(time)s") % {
            "left": left,
            "time": short_time(running_run.estimate.end_by_progress, now),
        }
    usual = running_run.usual_duration
    return _("usually %(time)s") % {"time": short_duration(usual)} if usual is not None else ""


def _waiting_job_row(waiting_job: WaitingJob, has_permission: Any) -> dict[str, Any]:
    run_url = _run_url(waiting_job.run.pk, has_permission) if waiting_job.run is not None else ""
    return {
        "key": waiting_job.job.pk,
        "name": waiting_job.job.name,
        "code": waiting_job.code,
        "url": run_url or job_url(waiting_job.job.pk),
        "since": waiting_job.since,
        "why": waiting_job.why or (_queued_reason_text(waiting_job.run) if waiting_job.run is not None else ""),
    }


def _queued_reason_text(run: Run) -> str:
    if run.queue:
        return _("No worker of the queue %(queue)s has taken it yet.") % {"queue": run.queue}
    return _("No worker has taken it yet.")


def _run_url(run_id: Any, has_permission: Any) -> str:
    return admin_url("chroniker_run_change", run_id) if has_permission("view_run") else ""


def _attention_context(attention_list: AttentionList, has_permission: Any) -> dict[str, Any]:
    kinds = {item.kind for item in attention_list.items}
    return {
        "attention": attention_rows(attention_list.items, has_permission),
        "attention_count": len(attention_list.items),
        "attention_more": max(len(attention_list.items) - MAX_ITEMS_SHOWN, 0),
        "attention_is_complete": attention_list.is_complete,
        "nothing_ticks": "no_tick" in kinds,
        "jobs_url": admin_url("chroniker_job_changelist"),
    }


def _last_day_context(counts: DayCounts, has_permission: Any) -> dict[str, Any]:
    delay = counts.delay_p95_seconds
    runs = admin_url("chroniker_run_changelist") if has_permission("view_run") else ""
    bad = urlencode({"status": ANY_BAD_STATUS, "from": counts.parts[0].start.isoformat(timespec="minutes")})
    return {
        "day": counts,
        "day_bars": draw_last_day_bars(counts),
        "day_success": percent(counts.succeeded, counts.succeeded + counts.bad),
        "day_delay": _("over 5 min") if delay == float("inf") else short_duration(delay),
        "day_first": counts.parts[0].start,
        "day_middle": counts.parts[len(counts.parts) // 2].start,
        "day_bad_url": f"{runs}?{bad}" if runs else "",
        "reliability_url": admin_url("chroniker_run_reliability") if has_permission("view_run") else "",
    }


def _next_hour_context(coming_hour: NextHour, now: dt.datetime) -> dict[str, Any]:
    rows = [{"name": each.job.name, "url": job_url(each.job.pk), "at": each.at} for each in coming_hour.listed_runs]
    return {
        "hour": coming_hour,
        "hour_max_jobs": MAX_JOBS_COUNTED,
        "hour_bars": draw_next_hour_bars(coming_hour, now),
        "hour_busiest": now + dt.timedelta(minutes=coming_hour.busiest_minute),
        "hour_most": max(coming_hour.start_counts_by_minute),
        "hour_middle": now + dt.timedelta(minutes=30),
        "hour_end": now + dt.timedelta(minutes=60),
        "hour_listed": rows,
        "timeline_url": admin_url("chroniker_job_timeline"),
    }
