"""The schedule history of a job: the answer to “Did it run at …?”, a calendar, and a table of scheduled times."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime, parse_time
from django.utils.translation import gettext as _

from chroniker.admin.jobs import causes, job_head
from chroniker.admin.jobs.calendar_picture import calendar_summary, draw_calendar
from chroniker.admin.jobs.schedule_answer import DidItRunQuestion, answer_did_it_run_question, make_did_it_run_question
from chroniker.admin.jobs.schedule_rows import history_rows
from chroniker.admin.shared.console_page import render_console_page
from chroniker.admin.shared.query_values import VALID_YEARS, is_time_in_valid_years
from chroniker.admin.shared.site_links import admin_url
from chroniker.exceptions import ScheduleError
from chroniker.insights import ledger
from chroniker.insights.job_status import JobStatus
from chroniker.insights.run_calendar import (
    CalendarDay,
    calendar_cells_of_entries,
    calendar_cells_of_hours,
    calendar_days,
    put_cells_into_days,
)
from chroniker.insights.timetable import DAY, Timetable
from chroniker.models import Job, RunHour, Status
from chroniker.schedule.zones import zone as zone_named

CALENDAR_DAYS, MAX_TABLE_ROWS = 14, 25
#: For a job with more scheduled times in a day, the calendar has a cell for each hour.
MAX_CELLS_PER_DAY = 288
#: The number of days that the calendar shows after the requested day. So the requested day is not at its end.
DAYS_AFTER_REQUESTED_DAY = 3
FRAGMENT_NAMES = ("answer", "calendar", "times", "causes")
FRAGMENT_TEMPLATES = {
    **job_head.FRAGMENT_TEMPLATES,
    **{f"schedule-{part}": f"chroniker/console/schedule/{part}.html" for part in FRAGMENT_NAMES},
}


@dataclass(frozen=True, slots=True)
class SchedulePageParameters:
    """The valid parameters of the page."""

    query: QueryDict
    asked: DidItRunQuestion | None
    last: dt.date  #: the last day of the calendar
    before: dt.datetime | None  #: only rows before this moment
    only_bad: bool

    def url_with(self, **values: str) -> str:
        """The address of the same page with other parameters. An empty value removes a parameter."""
        kept = {name: self.query[name] for name in ("d", "t", "to", "only") if self.query.get(name)}
        return f"?{urlencode({name: value for name, value in {**kept, **values}.items() if value})}"


def schedule_view(job_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    """The page. It needs the permissions to view jobs and runs, because it shows both."""
    if not (job_admin.has_view_or_change_permission(request) and request.user.has_perm("chroniker.view_run")):
        raise PermissionDenied
    overview = job_head.fetch_job_status_or_404(object_id)
    with timezone.override(_job_zone_or_default(overview.job)):
        context = {
            **job_head.job_head_context(job_admin, request, overview, "schedule"),
            "title": _("Schedule history"),
            "console_trail": [(overview.job.name, admin_url("chroniker_job_status", object_id))],
            "zone": timezone.get_current_timezone_name(),
            "job_zone": timezone.get_current_timezone(),
            **causes.job_activations_context(job_admin, request, overview),
            **_history_context(request, overview),
        }
    template = "chroniker/console/schedule/page.html"
    return render_console_page(job_admin.admin_site, request, template, "jobs", context, FRAGMENT_TEMPLATES)


def _job_zone_or_default(job: Job) -> ZoneInfo:
    """The time zone of the job, or the project's if this host does not know the job's."""
    with suppress(ScheduleError):
        return zone_named(job.timezone)
    return ZoneInfo(timezone.get_default_timezone_name())


def _read_parameters(query: QueryDict, zone: ZoneInfo, today: dt.date) -> SchedulePageParameters:
    date, time = _parse_or_none(parse_date, query.get("d", "")), _parse_or_none(parse_time, query.get("t", ""))
    asked = None
    if date is not None and time is not None and date.year in VALID_YEARS:
        exact = query.get("t", "").count(":") > 1
        asked = make_did_it_run_question(date, time.replace(microsecond=0, tzinfo=None), zone, with_seconds=exact)
    last = _parse_or_none(parse_date, query.get("to", ""))
    if last is None and asked is not None and asked.date <= today - dt.timedelta(days=CALENDAR_DAYS):
        last = asked.date + dt.timedelta(days=DAYS_AFTER_REQUESTED_DAY)
    before = _parse_or_none(parse_datetime, query.get("before", ""))
    return SchedulePageParameters(
        query,
        asked,
        last if last is not None and dt.date(1971, 1, 1) < last < today else today,
        before if before is not None and is_time_in_valid_years(before) else None,
        query.get("only") == "bad",
    )


def _parse_or_none(parse: Any, text: str) -> Any:
    """The parsed value; ``None`` for a text that is no date or time."""
    with suppress(ValueError, OverflowError):
        return parse(text)
    return None


def _history_context(request: HttpRequest, overview: JobStatus) -> dict[str, Any]:
    zone = _job_zone_or_default(overview.job)
    today = overview.now.astimezone(zone).date()
    wanted = _read_parameters(request.GET, zone, today)
    days = calendar_days(zone, wanted.last, CALENDAR_DAYS)
    low, high = days[0].start, days[-1].end
    is_dense = _needs_hourly_cells(overview.job, overview.now)
    if is_dense:
        until = _newest_row_time(wanted, high)
        page = ledger.fetch_newest_entries(overview.job, overview.state, overview.now, until, limit=MAX_TABLE_ROWS * 2)
        hours = RunHour.objects.filter(job=overview.job.pk, hour__gte=low, hour__lt=high).order_by("hour")
        put_cells_into_days(days, calendar_cells_of_hours(hours))
    else:
        page = ledger.fetch_entries_between(
            overview.job, overview.state, overview.now, low, high - ledger.MICROSECOND, min_entries=MAX_TABLE_ROWS
        )
        put_cells_into_days(days, calendar_cells_of_entries(page.entries))
    found = (
        answer_did_it_run_question(wanted.asked, page.entries, overview, has_all_entries=not page.has_more)
        if wanted.asked
        else None
    )
    drawn = draw_calendar(days, zone, overview.now, found.instant if found else None, secrets=overview.job.secrets)
    return {
        "days": days,
        "is_dense": is_dense,
        "picture": drawn,
        "picture_summary": calendar_summary(days, drawn.counts),
        "answer": found,
        "asked_date": request.GET.get("d") or str(today),
        "asked_time": request.GET.get("t") or f"{overview.now.astimezone(zone):%H:%M}",
        "not_a_time": bool(request.GET.get("d") or request.GET.get("t")) and wanted.asked is None,
        "only_bad": wanted.only_bad,
        "filter_link": wanted.url_with(only="" if wanted.only_bad else "bad"),
        **_earlier_and_later_links(wanted, days, today),
        **_table_rows_context(wanted, page, overview),
    }


def _newest_row_time(parameters: SchedulePageParameters, calendar_end: dt.datetime) -> dt.datetime:
    """For a job that is shown by hours: the newest row is at this time or before it.

    It depends on the question, or on ``before``, or on the last day of the calendar.
    """
    spans = parameters.asked.spans if parameters.asked is not None and parameters.before is None else []
    moments = [
        calendar_end,
        *([parameters.before] if parameters.before else []),
        *(last + DAY / 24 for _first, last in spans[-1:]),
    ]
    return min(moments) - ledger.MICROSECOND


def _needs_hourly_cells(job: Job, now: dt.datetime) -> bool:
    with suppress(ScheduleError):
        times = list(islice(Timetable(job.spec).instants(now - DAY), MAX_CELLS_PER_DAY + 1))
        return len(times) > MAX_CELLS_PER_DAY and times[-1] - times[0] < DAY
    return False


def _earlier_and_later_links(
    parameters: SchedulePageParameters, days: Sequence[CalendarDay], today: dt.date
) -> dict[str, str]:
    earlier, later = (parameters.last + dt.timedelta(days=step) for step in (-CALENDAR_DAYS, CALENDAR_DAYS))
    is_newest = parameters.last >= today
    return {
        "earlier_link": parameters.url_with(to=str(earlier), d="", t="") if days[0].date.year > 1971 else "",
        "later_link": "" if is_newest else parameters.url_with(to=str(later) if later < today else "", d="", t=""),
    }


def _table_rows_context(
    parameters: SchedulePageParameters, page: ledger.LedgerPage, overview: JobStatus
) -> dict[str, Any]:
    """The rows of the table, and the link to older rows: in the entries that were read, or in earlier days."""
    before = parameters.before
    entries = [entry for entry in page.entries if before is None or entry.instant < before]
    rows, rest = history_rows(entries, overview, MAX_TABLE_ROWS, only_not_succeeded=parameters.only_bad)
    older = ""
    if rest is not None:
        older = parameters.url_with(before=rest.isoformat(), to=parameters.query.get("to", ""))
    elif page.has_more and page.entries:
        last = page.entries[-1].first or page.entries[-1].instant
        day = last.astimezone(timezone.get_current_timezone()).date()
        older = parameters.url_with(to=str(day), d="", t="", before=last.isoformat())
    return {
        "rows": rows,
        "older_link": older,
        "is_first_page": before is None,
        "backfill_link": _backfill_url(
            overview.job, [entry for entry in entries if rest is None or entry.instant >= rest]
        ),
    }


def _backfill_url(job: Job, entries: Sequence[ledger.LedgerEntry]) -> str:
    """The address of the backfill page. Its range covers the scheduled times of the table that did not succeed."""
    bad = [entry for entry in entries if entry.run is not None and entry.verdict != Status.SUCCEEDED]
    url = admin_url("chroniker_job_backfill", job.pk)
    if not bad or not url:
        return url
    ends = {"from": bad[-1].instant, "until": bad[0].instant}
    return f"{url}?{urlencode({name: f'{timezone.localtime(at):%Y-%m-%dT%H:%M:%S}' for name, at in ends.items()})}"
