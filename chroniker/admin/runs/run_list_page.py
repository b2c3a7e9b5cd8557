"""The page Runs: all runs, newest first, with filters. A refresh counts newer runs, but does not insert them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from chroniker.admin.shared import run_cells
from chroniker.admin.shared.console_page import render_console_page
from chroniker.admin.shared.live_page import REFRESH_PARAMETER, read_etag_of_refresh_request
from chroniker.admin.shared.query_values import is_time_in_valid_years, read_query_text
from chroniker.admin.shared.site_links import admin_url
from chroniker.insights.run_list import (
    ANY_BAD_STATUS,
    MAX_NEW_RUNS,
    RunFilters,
    RunListPosition,
    count_newer_runs,
    fetch_older_runs,
    job_ids_by_name_part,
)
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.models import OPEN_STATUSES, Host, Run, Status, Trigger

ROWS_PER_PAGE = 50
#: The largest number of hosts that the filter offers.
MAX_FILTER_HOSTS = 200
PAGE_TEMPLATE = "chroniker/console/runs/page.html"
FRAGMENT_TEMPLATES = {
    "ops-sentence": "chroniker/console/runs/news.html",
    "runs-rows": "chroniker/console/runs/rows.html",
}


@dataclass(frozen=True, slots=True)
class RunListRow:
    run: Run
    code: str
    name: str
    url: str
    took: str
    delay: str
    started_by: str
    reason: str
    is_open: bool
    stop_url: str
    again_url: str


def run_list_view(run_admin: Any, request: HttpRequest) -> HttpResponse:
    """The page. ``?before=KEY``: only runs older than this one. ``?top=KEY`` in a refresh: this run and older ones."""
    if not run_admin.has_view_permission(request):
        raise PermissionDenied
    filters = _read_filters(request)
    before, top = _read_list_position(request, "before"), _read_list_position(request, "top")
    found = fetch_older_runs(filters, ROWS_PER_PAGE + 1, before, top)
    shown, permissions = found[:ROWS_PER_PAGE], _run_and_stop_permissions(request)
    now = shown[0].__dict__["now"] if shown else timezone.now()
    newest = top or before or (RunListPosition.of(shown[0]) if shown else None)
    is_refresh = read_etag_of_refresh_request(request) is not None
    context = {
        "title": _("Runs"),
        "now": now,
        "rows": [_run_list_row(run, now, permissions) for run in shown],
        "older": _query_with_positions(request, before=RunListPosition.of(shown[-1]))
        if len(found) > ROWS_PER_PAGE
        else "",
        "newest": _query_with_positions(request) if before else "",
        "n_new": count_newer_runs(filters, newest) if is_refresh and newest and not before else 0,
        "most_new": MAX_NEW_RUNS,
        "new_url": _query_with_positions(request),
        "is_filtered": not filters.is_empty,
        "filters": filters,
        **_filter_choices(filters, shown),
    }
    if not before and newest is not None:
        context["live_url"] = f"{request.path}{_query_with_positions(request, top=newest)}&{REFRESH_PARAMETER}="
    return render_console_page(run_admin.admin_site, request, PAGE_TEMPLATE, "runs", context, FRAGMENT_TEMPLATES)


def _read_filters(request: HttpRequest) -> RunFilters:
    """The filters in the query. Unknown values are ignored."""
    query = request.GET
    sought, job = read_query_text(query, "q").strip(), query.get("job", "")
    found = RunFilters(
        text=sought,
        status=_value_if_known(query.get("status", ""), [ANY_BAD_STATUS, *Status.values]),
        trigger=_value_if_known(query.get("trigger", ""), Trigger.values),
        host=read_query_text(query, "host"),
        since=_parse_time(query.get("from", "")),
        job=int(job) if job.isdecimal() and len(job) < 19 else None,
    )
    if sought and found.run_id is None:
        found.job_ids.extend(job_ids_by_name_part(sought))
    return found


def _value_if_known(value: str, known_values: list[str]) -> str:
    return value if value in known_values else ""


def _parse_time(value: str) -> dt.datetime | None:
    try:
        moment = parse_datetime(value)
        moment = timezone.make_aware(moment) if moment is not None and moment.tzinfo is None else moment
    except (ValueError, OverflowError):
        return None
    return moment if moment is not None and is_time_in_valid_years(moment) else None


def _read_list_position(request: HttpRequest, parameter: str) -> RunListPosition | None:
    try:
        key = RunListPosition.parse(request.GET.get(parameter, ""))
    except ValueError:
        return None
    return key if is_time_in_valid_years(key.claimed_at) else None


def _query_with_positions(request: HttpRequest, **positions: RunListPosition) -> str:
    """The query with the present filters and another position in the list."""
    filters = {name: value for name, value in request.GET.dict().items() if value and name not in ("before", "top")}
    return f"?{urlencode({**filters, **{name: str(position) for name, position in positions.items()}})}"


def _run_and_stop_permissions(request: HttpRequest) -> dict[str, bool]:
    return {name: request.user.has_perm(f"chroniker.{name}_job") for name in ("run", "stop")}


def _run_list_row(run: Run, now: dt.datetime, permissions: dict[str, bool]) -> RunListRow:
    is_open = run.status in OPEN_STATUSES
    return RunListRow(
        run=run,
        code=run_cells.state_code(run),
        name=f"{run.job.name} · {run.token}",
        url=admin_url("chroniker_run_change", run.pk),
        took=run_cells.duration_text(run, now),
        delay=run_cells.start_delay_text(run),
        started_by=run_cells.started_by_text(run, run.job),
        reason=mask_secrets(run_cells.unmasked_status_reason(run), run.job.secrets),
        is_open=is_open,
        stop_url=admin_url("chroniker_run_stop", run.pk) if is_open and permissions["stop"] else "",
        again_url=admin_url("chroniker_run_again", run.pk) if not is_open and permissions["run"] else "",
    )


def _filter_choices(filters: RunFilters, shown_runs: list[Run]) -> dict[str, Any]:
    hosts = list(Host.objects.order_by("name").values_list("name", flat=True)[:MAX_FILTER_HOSTS])
    if filters.host and filters.host not in hosts:
        hosts.append(filters.host)
    return {
        "hosts": hosts,
        "statuses": [
            *((status.value, status.label) for status in Status),
            (ANY_BAD_STATUS, _("failed, timed out or lost")),
        ],
        "triggers": [(trigger.value, trigger.label) for trigger in Trigger],
        "job_name": shown_runs[0].job.name if shown_runs else "",
    }
