"""The timeline: when it is crowded, what runs, and what collides."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from chroniker.admin.operations.timeline_picture import FAILURES, picture
from chroniker.admin.shared.console_bar import permission_test
from chroniker.admin.shared.console_page import render_console_page
from chroniker.admin.shared.site_links import admin_url
from chroniker.clock.database_clock import database_now
from chroniker.insights.collision_pools import PoolCollision
from chroniker.insights.timeline import Timeline, fetch_timeline
from chroniker.insights.timeline_rows import JobRow
from chroniker.wording.formats import NOTHING, format_count, short_duration, short_time

#: By the value of the parameter: the title of the choice, and the time of the picture.
BY = {"worker": gettext_lazy("By worker"), "job": gettext_lazy("By job"), "group": gettext_lazy("By group")}
SPANS = {
    "6h": (gettext_lazy("6 hours"), dt.timedelta(hours=6)),
    "48h": (gettext_lazy("48 hours"), dt.timedelta(hours=48)),
    "7d": (gettext_lazy("7 days"), dt.timedelta(days=7)),
}
FRAGMENTS = {
    "ops-sentence": "chroniker/console/timeline/sentence.html",
    **{f"timeline-{part}": f"chroniker/console/timeline/{part}.html" for part in ("picture", "collisions", "table")},
}
#: Collisions that the table shows, and jobs that each of its rows names.
MOST_COLLISIONS, MOST_NAMED = 30, 4


def timeline_view(job_admin: Any, request: HttpRequest) -> HttpResponse:
    """Without the right to view runs it shows only what is expected."""
    if not job_admin.has_view_or_change_permission(request):
        raise PermissionDenied
    by = request.GET.get("by") if request.GET.get("by") in BY else "worker"
    key = request.GET.get("span") if request.GET.get("span") in SPANS else "48h"
    may = permission_test(request)
    found = fetch_timeline(database_now(), SPANS[str(key)][1], str(by), with_runs=may("view_run"))
    context = {
        "title": _("Timeline"),
        "found": found,
        "picture": picture(found, found.slots, str(by)),
        "by": by,
        "choices": _choices(str(by), str(key)),
        "picture_title": {"worker": _("Workers"), "job": _("Jobs"), "group": _("Groups")}[str(by)],
        "hours": SPANS[str(key)][1] // dt.timedelta(hours=2),
        **_collisions_context(found),
        "rows": [_row(row, lane.title, found) for lane in found.lanes for row in lane.rows],
        "left_out": _left_out_notes(found),
        "nothing_ran": may("view_run") and not any(_has_runs(row) for lane in found.lanes for row in lane.rows),
    }
    return render_console_page(
        job_admin.admin_site, request, "chroniker/console/timeline/page.html", "timeline", context, FRAGMENTS
    )


def _choices(by: str, span: str) -> list[dict[str, Any]]:
    rows = [{"title": title, "url": f"?by={name}&span={span}", "is_current": name == by} for name, title in BY.items()]
    return rows + [
        {"title": title, "url": f"?by={by}&span={name}", "is_current": name == span}
        for name, (title, _length) in SPANS.items()
    ]


def _collisions_context(found: Timeline) -> dict[str, Any]:
    """Collisions of the same jobs are one row."""
    alike: dict[str, list[PoolCollision]] = {}
    for each in found.collisions:
        alike.setdefault(_pool_and_jobs_text(each), []).append(each)
    rows = [_collision_row(what, group, found) for what, group in alike.items()]
    return {"collisions": rows[:MOST_COLLISIONS], "more_collisions": max(len(rows) - MOST_COLLISIONS, 0)}


def _collision_row(what: str, alike: Sequence[PoolCollision], found: Timeline) -> dict[str, Any]:
    first = alike[0].collision
    start, end = short_time(first.start, found.now), short_time(first.end, found.now)
    return {
        "when": start if start == end else _("%(start)s to %(end)s") % {"start": start, "end": end},
        "more": len(alike) - 1,
        "what": what,
        "jobs": format_count(max(each.collision.jobs for each in alike)),
        "places": format_count(first.capacity),
        "wait": short_duration(max(each.collision.longest_wait for each in alike)),
    }


def _pool_and_jobs_text(each: PoolCollision) -> str:
    """“Group “Imports”, limit 1: a, b (still runs) and 5 more”."""
    still = [_("%(name)s (still runs)") % {"name": name} for name in each.collision.still_running]
    names = sorted({*each.collision.names, *still})
    listed = ", ".join(names[:MOST_NAMED])
    if len(names) > MOST_NAMED:
        listed = _("%(names)s and %(n)d more") % {"names": listed, "n": len(names) - MOST_NAMED}
    if each.group:
        return _("Group “%(group)s”: %(names)s") % {"group": each.group, "names": listed}
    executor, queue = each.queue or ("", "")
    return _("Queue %(queue)s: %(names)s") % {"queue": queue or executor, "names": listed}


def _row(row: JobRow, lane: str, found: Timeline) -> dict[str, Any]:
    """The same as the picture, in numbers."""
    codes = Counter(bar.code for bar in row.bars)
    past = sum(band.succeeded for band in row.bands) + codes["succeeded"]
    bad = sum(codes[code] for code in FAILURES) or sum(band.failed for band in row.bands)
    expected = [bar.start for bar in row.bars if bar.code == "expected"]
    running = [bar.start for bar in row.bars if bar.code == "running"]
    is_band = any(band.is_expected for band in row.bands)
    return {
        "name": row.name,
        "url": admin_url("chroniker_job_status", row.job_id),
        "lane": lane or NOTHING,
        "succeeded": format_count(past),
        "failed": format_count(bad),
        "is_bad": bad > 0,
        "running": short_time(running[0], found.now) if running else "",
        "next": short_time(expected[0], found.now) if expected else _("many") if is_band else NOTHING,
        "expected": _("many") if is_band else format_count(len(expected)),
        "usual": short_duration(row.usual),
    }


def _has_runs(row: JobRow) -> bool:
    return any(bar.code != "expected" for bar in row.bars) or any(not band.is_expected for band in row.bands)


def _left_out_notes(found: Timeline) -> list[str]:
    """What the picture does not show."""
    texts = []
    if found.rows_left_out:
        text = ngettext("%(n)s less busy row is left out.", "%(n)s less busy rows are left out.", found.rows_left_out)
        texts.append(text % {"n": format_count(found.rows_left_out)})
    if found.bars_left_out:
        text = ngettext("%(n)s bar is left out.", "%(n)s bars are left out.", found.bars_left_out)
        texts.append(text % {"n": format_count(found.bars_left_out)})
    if found.single_since is not None:
        since = short_time(found.single_since, found.now)
        texts.append(_("Runs before %(time)s are shown by hours.") % {"time": since})
    if found.cut_at is not None:
        text = _("Only the %(n)s jobs with the soonest next runs are expected here.")
        texts.append(text % {"n": format_count(found.cut_at)})
    if found.collisions_until is not None:
        until = short_time(found.collisions_until, found.now)
        texts.append(_("Collisions are computed until %(time)s.") % {"time": until})
    return texts
