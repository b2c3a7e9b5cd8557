"""Reliability: overlaps and refused events. A page for all jobs, and a line on each job's page."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls.resolvers import URLPattern
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from chroniker.admin.operations.host_admin import scheduling_cell, seen_cell, skew_cell
from chroniker.admin.shared.cells import Cell, moment
from chroniker.admin.shared.console_page import page_path
from chroniker.admin.shared.site_links import admin_url
from chroniker.clock.database_clock import database_now
from chroniker.insights import reliability
from chroniker.insights.reliability import COUNTED, Overlap, Overlaps
from chroniker.models import EventKind, Host, Run, Status

#: Hosts on the page, the most recently seen first.
MOST_HOSTS = 50
#: The explanation of each figure.
MEANINGS: dict[EventKind, Any] = {
    EventKind.REFUSED_DELIVERY: gettext_lazy(
        "A duplicate or forged message for a run was refused. It started nothing."
    ),
    EventKind.ZOMBIE_REPORT: gettext_lazy("A worker whose lease had expired stopped its command."),
    EventKind.LATE_OUTCOME: gettext_lazy("A worker reported the end of a run that was already closed."),
    EventKind.LOST: gettext_lazy(
        "A run was closed because contact with its worker was lost, or because no worker started it."
    ),
}


def urls(run_admin: Any) -> list[URLPattern]:
    return [page_path(run_admin, "reliability/", reliability_view, "chroniker_run_reliability")]


def reliability_view(run_admin: Any, request: HttpRequest) -> HttpResponse:
    if not run_admin.has_view_permission(request):
        raise PermissionDenied
    return reliability_page(run_admin.admin_site, request)


def reliability_page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """``?all=1``: look for overlaps among all stored runs, not only the latest."""
    now = database_now()
    found = reliability.overlaps(now, everything="all" in request.GET)
    context = {
        **site.each_context(request),
        "title": _("Reliability"),
        "opts": Run._meta,
        "zone": timezone.get_current_timezone_name(),
        "verdict": verdict(found).html(""),
        "since": moment(found.since) if found.since else None,
        "overlaps": [_overlap(each) for each in found.found],
        "figures": [(each.label, MEANINGS[each], numbers) for each, numbers in reliability.counts(now).items()],
        "hosts": hosts(now) if request.user.has_perm("chroniker.view_host") else None,
    }
    return TemplateResponse(request, "admin/chroniker/run/reliability.html", context)


def verdict(found: Overlaps) -> Cell:
    """“no overlap”, “2 overlaps, 1 of them now”."""
    count = len(found.found)
    if not count:
        return Cell(_("no overlap"), "succeeded")
    text = ngettext("%(n)d overlap", "%(n)d overlaps", count) % {"n": count}
    if found.more:
        text = _("more than %(n)d overlaps") % {"n": count}
    return Cell(text, "failed", note=_("%(n)d of them still open") % {"n": found.now} if found.now else "")


def of_job(job_id: int, last_token: int, now: dt.datetime) -> dict[str, Any]:
    """For the job's page: two statements."""
    found, events = reliability.of_job(job_id, last_token, now)
    counts = [f"{kind.label}: {events[kind]}" for kind in COUNTED if events[kind]]
    return {"cell": verdict(found).html(""), "events": ", ".join(counts), "overlaps": list(map(_overlap, found.found))}


def _overlap(each: Overlap) -> dict[str, Any]:
    run = each.run
    return {
        "job": run.job,
        "url": admin_url("chroniker_run_change", run.pk),
        "token": f"#{run.token}",
        "slot": run.slot,
        "started": moment(run.started_at),
        "status": Status(run.status).label,
        "until": _("still open") if each.is_now else moment(each.until),
    }


def hosts(now: dt.datetime) -> list[dict[str, Any]]:
    return [
        {
            "host": host,
            "seen": seen_cell(host, now).html(""),
            "skew": skew_cell(host).html(""),
            "scheduling": scheduling_cell(host, now).html(""),
        }
        for host in Host.objects.order_by("-last_seen")[:MOST_HOSTS]
    ]
