"""The schedule history of a job: each scheduled time with its result. A page, and the newest rows on the job's page."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls.resolvers import URLPattern
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from chroniker.admin.shared.cells import Cell, moment, span
from chroniker.admin.shared.console_page import page_path
from chroniker.admin.shared.job_cells import Overview, overviews
from chroniker.admin.shared.run_cells import status
from chroniker.admin.shared.site_links import admin_url
from chroniker.exceptions import ScheduleError
from chroniker.insights import ledger
from chroniker.insights.ledger import Entry, NoRun
from chroniker.models import Job, Run, Status
from chroniker.schedule import describe, next_after

#: Rows of one page, and rows on the job's page.
ON_A_PAGE, NEWEST = 50, 5
#: The columns, in the order of ``_cells``.
COLUMNS = ("instant", "verdict", "run", "started", "why")
KINDS = {NoRun.DUE: "waiting", NoRun.DISABLED: "disabled", NoRun.NO_RECORD: "idle"}

_TICK = dt.timedelta(microseconds=1)


def urls(job_admin: Any) -> list[URLPattern]:
    return [page_path(job_admin, "<int:object_id>/ledger/", ledger_view, "chroniker_job_ledger")]


def ledger_view(job_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    """The schedule history. It shows jobs and runs, so it needs the right to view both."""
    if not (job_admin.has_view_or_change_permission(request) and request.user.has_perm("chroniker.view_run")):
        raise PermissionDenied
    return history_page(job_admin.admin_site, request, get_object_or_404(Job, pk=object_id))


def newest_rows(overview: Overview) -> list[list[Cell]]:
    """The rows for the job's page and its refresh. Two statements."""
    page = ledger.page(overview.job, overview.state, overview.now, size=NEWEST)
    return [_cells(entry, overview) for entry in page.entries]


def history_page(site: AdminSite, request: HttpRequest, job: Job) -> HttpResponse:
    """``?at=2026-03-29T03:00``, in the page's time zone: scheduled times until then. ``?before=``: older ones."""
    overview = overviews([job])[job.pk]
    requested, before = _requested(request.GET.get("at", "")), _moment(request.GET.get("before", ""))
    until = requested[1] if requested else before - _TICK if before else None
    found = ledger.page(job, overview.state, overview.now, until, size=ON_A_PAGE)
    older = f"?{urlencode({'before': _oldest(found.entries[-1]).isoformat()})}" if found.more else ""
    rows = [
        [cell.html("", label) for cell, label in zip(_cells(entry, overview), _labels(), strict=True)]
        for entry in found.entries
    ]
    context = {
        **site.each_context(request),
        "title": _("Schedule history of “%(job)s”") % {"job": job},
        "opts": Job._meta,
        "original": job,
        "words": describe(job.spec),
        "zone": timezone.get_current_timezone_name(),
        "rows": rows,
        "older": older,
        "is_newest": until is None,
        "at": request.GET.get("at", ""),
        "not_a_time": bool(request.GET.get("at")) and requested is None,
        "answer": _answer(overview, found.entries, *requested) if requested else None,
    }
    return TemplateResponse(request, "admin/chroniker/job/ledger.html", context)


def _labels() -> list[str]:
    """Labels for narrow screens, which have no table head. The first two cells need none."""
    return ["", "", _("Run"), _("Started"), ""]


def _oldest(entry: Entry) -> dt.datetime:
    return entry.first or entry.instant


def _moment(text: str) -> dt.datetime | None:
    with suppress(ValueError, OverflowError):
        found = parse_datetime(text)
        if found is not None and timezone.is_naive(found):
            # The later one of two equal local times: the list goes back from there.
            found = found.replace(tzinfo=timezone.get_current_timezone(), fold=1)
        return found and found.astimezone(dt.UTC)
    return None


def _requested(text: str) -> tuple[dt.datetime, dt.datetime] | None:
    """The first and last moment of the given time: 03:00 means the whole minute, 03:00:00 the second."""
    low = _moment(text)
    if low is None:
        return None
    length = dt.timedelta(seconds=1) if text.count(":") > 1 else dt.timedelta(minutes=1)
    with suppress(OverflowError):
        return low, low + length - _TICK
    return None


# -- the answer ----------------------------------------------------------------------------------------------


def _answer(overview: Overview, entries: list[Entry], low: dt.datetime, high: dt.datetime) -> Cell:
    """The answer to “did the 03:00 run happen?”, in one sentence."""
    if entries and entries[0].instant >= low:
        return _sentence(entries[0])
    if low > overview.now:
        return Cell(_("That time is in the future."), "waiting", _next(overview.job, low))
    text = _("Nothing was scheduled at %(time)s.") % {"time": moment(low)}
    return Cell(text, "idle", _("The list starts with the last scheduled time before it.") if entries else "")


def _sentence(entry: Entry) -> Cell:
    run, verdict = entry.run, entry.verdict
    words = {"time": moment(entry.instant), "verdict": str(verdict.label)}
    if run is None:
        return Cell({
            NoRun.DUE: _("%(time)s: due, not yet started."),
            NoRun.DISABLED: _("%(time)s: did not run because the job is disabled."),
            NoRun.NO_RECORD: _("%(time)s: unknown, because no record was kept."),
        }[NoRun(verdict)] % words, KINDS[NoRun(verdict)])  # fmt: skip
    last, shown = entry.retry or run, status(entry.retry or run)
    words["verdict"] = shown.text
    if last.status == Status.RUNNING:
        text = _("%(time)s: running now.")
    elif last.status == Status.CLAIMED:
        text = _("%(time)s: queued.")
    elif last.started_at is None:
        text = _("%(time)s: did not run (%(verdict)s).")
    elif last.status == Status.LOST:
        text = _("%(time)s: started, then lost. The command may have finished.")
    else:
        text = _("%(time)s: ran (%(verdict)s).")
    return Cell(text % words, shown.kind, last.reason, url=_url(last))


def _next(job: Job, low: dt.datetime) -> str:
    with suppress(ScheduleError):
        following = next_after(job.spec, low - _TICK)
        if following is not None:
            return _("The next scheduled time from then on is %(time)s.") % {"time": moment(following)}
    return _("Nothing is scheduled from then on.")


# -- the rows ------------------------------------------------------------------------------------------------


def _cells(entry: Entry, overview: Overview) -> list[Cell]:
    run = entry.run
    verdict = entry.verdict
    shown = status(entry.retry or run) if run else Cell(str(verdict.label), KINDS[NoRun(verdict)])
    return [
        Cell(moment(entry.instant), note=_instant_note(entry, overview.job)),
        shown,
        _run(run, entry.retry) if run else Cell(""),
        _started(entry, overview.now),
        _reason(entry, overview),
    ]


def _instant_note(entry: Entry, job: Job) -> str:
    if entry.first is not None and entry.first != entry.instant:
        return _("and all scheduled times back to %(time)s") % {"time": moment(entry.first)}
    if job.timezone == timezone.get_current_timezone_name():
        return ""
    with suppress(Exception):  # a job with a schedule error may have an invalid time zone
        return f"{entry.instant.astimezone(ZoneInfo(job.timezone)):%H:%M:%S} {job.timezone}"
    return ""


def _run(run: Run, retry: Run | None) -> Cell:
    if retry is not None:
        words = {"n": retry.attempt, "token": run.token, "status": status(run).text}
        note = _("attempt %(n)d; first attempt #%(token)d: %(status)s") % words
        return Cell(f"#{retry.token}", note=note, url=_url(retry))
    many = run.scheduled_for != run.covered_until
    return Cell(f"#{run.token}", note=_("covers several scheduled times") if many else "", url=_url(run))


def _url(run: Run) -> str:
    return admin_url("chroniker_run_change", run.pk)


def _started(entry: Entry, now: dt.datetime) -> Cell:
    after = entry.started_after
    if entry.run is not None and after is not None:
        return Cell(moment(entry.run.started_at), note=_("%(time)s after the scheduled time") % {"time": span(after)})
    if entry.verdict in (NoRun.DUE, Status.CLAIMED):
        return Cell("", note=_("overdue by %(time)s") % {"time": span(now - entry.instant)})
    return Cell("")


def _reason(entry: Entry, overview: Overview) -> Cell:
    doubt = "" if entry.certain else _("Computed from the current schedule, which has changed since then.")
    if entry.run is not None:
        return Cell((entry.retry or entry.run).reason, note=doubt)
    reasons = {
        NoRun.DUE: overview.why,
        NoRun.DISABLED: _("The job is disabled. When it is enabled, this is recorded as skipped."),
        NoRun.NO_RECORD: _("The record was deleted together with old runs."),
    }
    return replace(Cell(reasons[NoRun(entry.verdict)]), note=doubt)
