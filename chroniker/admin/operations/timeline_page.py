"""The timeline: which jobs ran and will run at which times, and which of them collide."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from chroniker.admin.operations.timeline_picture import FAILURE_STATE_CODES, draw_timeline
from chroniker.admin.shared.console_bar import make_permission_check
from chroniker.admin.shared.console_page import render_console_page
from chroniker.admin.shared.site_links import admin_url
from chroniker.clock.database_clock import database_now
from chroniker.insights.collision_pools import PoolCollision
from chroniker.insights.timeline import RunTimeline, fetch_timeline
from chroniker.insights.timeline_rows import JobRow
from chroniker.wording.formats import NO_VALUE_TEXT, format_count, short_duration, short_time

#: By the value of the query parameter: the title of the choice; for ``TIME_SPANS`` also the length of the time range.
GROUPING_TITLES = {
    "worker": gettext_lazy("By worker"),
    "job": gettext_lazy("By job"),
    "group": gettext_lazy("By group"),
}
TIME_SPANS = {
    "6h": (gettext_lazy("6 hours"), dt.timedelta(hours=6)),
    "48h": (gettext_lazy("48 hours"), dt.timedelta(hours=48)),
    "7d": (gettext_lazy("7 days"), dt.timedelta(days=7)),
}
FRAGMENT_TEMPLATES = {
    "ops-sentence": "chroniker/console/timeline/sentence.html",
    **{f"timeline-{part}": f"chroniker/console/timeline/{part}.html" for part in ("picture", "collisions", "table")},
}
#: The largest number of collisions in the table, and of job names in each row.
MAX_COLLISIONS, MAX_JOB_NAMES = 30, 4


def timeline_view(job_admin: Any, request: HttpRequest) -> HttpResponse:
    """The page. To users who may not view runs, it shows only expected runs."""
    if not job_admin.has_view_or_change_permission(request):
        raise PermissionDenied
    by = request.GET.get("by") if request.GET.get("by") in GROUPING_TITLES else "worker"
    key = request.GET.get("span") if request.GET.get("span") in TIME_SPANS else "48h"
    may = make_permission_check(request)
    found = fetch_timeline(database_now(), TIME_SPANS[str(key)][1], str(by), with_runs=may("view_run"))
    context = {
        "title": _("Timeline"),
        "found": found,
        "picture": draw_timeline(found, found.slots, str(by)),
        "by": by,
        "choices": _grouping_and_span_choices(str(by), str(key)),
        "picture_title": {"worker": _("Workers"), "job": _("Jobs"), "group": _("Groups")}[str(by)],
        "hours": TIME_SPANS[str(key)][1] // dt.timedelta(hours=2),
        **_collisions_context(found),
        "rows": [_table_row(row, lane.title, found) for lane in found.lanes for row in lane.rows],
        "left_out": _omitted_data_notes(found),
        "nothing_ran": may("view_run") and not any(_has_runs(row) for lane in found.lanes for row in lane.rows),
    }
    return render_console_page(
        job_admin.admin_site, request, "chroniker/console/timeline/page.html", "timeline", context, FRAGMENT_TEMPLATES
    )


def _grouping_and_span_choices(grouped_by: str, span: str) -> list[dict[str, Any]]:
    rows = [
        {"title": title, "url": f"?by={name}&span={span}", "is_current": name == grouped_by}
        for name, title in GROUPING_TITLES.items()
    ]
    return rows + [
        {"title": title, "url": f"?by={grouped_by}&span={name}", "is_current": name == span}
        for name, (title, _length) in TIME_SPANS.items()
    ]


def _collisions_context(timeline: RunTimeline) -> dict[str, Any]:
    """The rows of the table of collisions. Collisions of the same jobs share one row."""
    alike: dict[str, list[PoolCollision]] = {}
    for each in timeline.collisions:
        alike.setdefault(_pool_and_jobs_text(each), []).append(each)
    rows = [_collision_row(what, group, timeline) for what, group in alike.items()]
    return {"collisions": rows[:MAX_COLLISIONS], "more_collisions": max(len(rows) - MAX_COLLISIONS, 0)}


def _collision_row(pool_and_jobs: str, collisions: Sequence[PoolCollision], timeline: RunTimeline) -> dict[str, Any]:
    first = collisions[0].collision
    start, end = short_time(first.start, timeline.now), short_time(first.end, timeline.now)
    return {
        "when": start if start == end else _("%(start)s to %(end)s") % {"start": start, "end": end},
        "more": len(collisions) - 1,
        "what": pool_and_jobs,
        "jobs": format_count(max(each.collision.affected_job_count for each in collisions)),
        "places": format_count(first.capacity),
        "wait": short_duration(max(each.collision.longest_wait for each in collisions)),
    }


def _pool_and_jobs_text(pool_collision: PoolCollision) -> str:
    """“Group “Imports”, limit 1: a, b (still runs) and 5 more”."""
    still = [_("%(name)s (still running)") % {"name": name} for name in pool_collision.collision.still_running]
    names = sorted({*pool_collision.collision.names, *still})
    listed = ", ".join(names[:MAX_JOB_NAMES])
    if len(names) > MAX_JOB_NAMES:
        listed = _("%(names)s and %(n)d more") % {"names": listed, "n": len(names) - MAX_JOB_NAMES}
    if pool_collision.group:
        return _("Group “%(group)s”: %(names)s") % {"group": pool_collision.group, "names": listed}
    executor, queue = pool_collision.queue or ("", "")
    return _("Queue %(queue)s: %(names)s") % {"queue": queue or executor, "names": listed}


def _table_row(job_row: JobRow, lane_title: str, timeline: RunTimeline) -> dict[str, Any]:
    """The numbers in the table for a job's row of the picture."""
    codes = Counter(bar.code for bar in job_row.bars)
    past = sum(band.succeeded for band in job_row.bands) + codes["succeeded"]
    bad = sum(codes[code] for code in FAILURE_STATE_CODES) or sum(band.failed for band in job_row.bands)
    expected = [bar.start for bar in job_row.bars if bar.code == "expected"]
    running = [bar.start for bar in job_row.bars if bar.code == "running"]
    is_band = any(band.is_expected for band in job_row.bands)
    return {
        "name": job_row.name,
        "url": admin_url("chroniker_job_status", job_row.job_id),
        "lane": lane_title or NO_VALUE_TEXT,
        "succeeded": format_count(past),
        "failed": format_count(bad),
        "is_bad": bad > 0,
        "running": short_time(running[0], timeline.now) if running else "",
        "next": short_time(expected[0], timeline.now) if expected else _("many") if is_band else NO_VALUE_TEXT,
        "expected": _("many") if is_band else format_count(len(expected)),
        "usual": short_duration(job_row.usual),
    }


def _has_runs(row: JobRow) -> bool:
    return any(bar.code != "expected" for bar in row.bars) or any(not band.is_expected for band in row.bands)


def _omitted_data_notes(timeline: RunTimeline) -> list[str]:
    """Sentences that say what the picture does not show."""
    texts = []
    if timeline.rows_left_out:
        text = ngettext(
            "%(n)s row with less running time than those shown is left out.",
            "%(n)s rows with less running time than those shown are left out.",
            timeline.rows_left_out,
        )
        texts.append(text % {"n": format_count(timeline.rows_left_out)})
    if timeline.bars_left_out:
        text = ngettext("%(n)s bar is left out.", "%(n)s bars are left out.", timeline.bars_left_out)
        texts.append(text % {"n": format_count(timeline.bars_left_out)})
    if timeline.single_runs_since is not None:
        since = short_time(timeline.single_runs_since, timeline.now)
        texts.append(_("Runs before %(time)s are shown as hourly totals.") % {"time": since})
    if timeline.job_read_limit is not None:
        text = _("Expected runs are shown only for the %(n)s jobs that run next.")
        texts.append(text % {"n": format_count(timeline.job_read_limit)})
    if timeline.collisions_until is not None:
        until = short_time(timeline.collisions_until, timeline.now)
        texts.append(_("Collisions are shown only up to %(time)s.") % {"time": until})
    return texts
