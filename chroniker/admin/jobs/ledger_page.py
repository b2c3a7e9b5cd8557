"""The newest scheduled times of a job, as rows for its panel and the refresh of the panel."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from dataclasses import replace
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext as _

from chroniker.admin.shared.cells import Cell, moment, span
from chroniker.admin.shared.job_cells import Overview
from chroniker.admin.shared.run_cells import status
from chroniker.admin.shared.site_links import admin_url
from chroniker.insights import ledger
from chroniker.insights.ledger import Entry, NoRun
from chroniker.models import Job, Run, Status

NEWEST = 5
KINDS = {NoRun.DUE: "waiting", NoRun.DISABLED: "disabled", NoRun.NO_RECORD: "idle"}


def newest_rows(overview: Overview) -> list[list[Cell]]:
    """The rows for the job's page and its refresh. Two statements."""
    page = ledger.page(overview.job, overview.state, overview.now, size=NEWEST)
    return [_cells(entry, overview) for entry in page.entries]


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
