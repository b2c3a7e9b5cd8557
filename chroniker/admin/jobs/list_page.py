"""The list of jobs: filters as chips, search and selects; rows in sections; and actions for the selected jobs."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.apps import apps
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from chroniker.admin.jobs.job_head import get_job_permissions
from chroniker.admin.jobs.list_rows import SharedRowValues, group_rows_into_sections, job_rows
from chroniker.admin.shared.console_page import render_console_page
from chroniker.admin.shared.query_values import read_query_text
from chroniker.admin.shared.site_links import admin_url
from chroniker.clock.database_clock import database_now
from chroniker.insights import health_facts, job_filters, job_order
from chroniker.insights.health import fetch_health
from chroniker.insights.job_filters import MAX_JOBS_COUNTED, VALUES_OF_SHOW_FILTER, JobFilter, fetch_job_conditions
from chroniker.insights.job_status import fetch_job_status
from chroniker.insights.latest_runs import fetch_latest_runs
from chroniker.models import Job
from chroniker.wording.formats import format_count

PAGE_TEMPLATE = "chroniker/console/jobs/list.html"
FRAGMENT_TEMPLATES = {
    "jobs-chips": "chroniker/console/jobs/chips.html",
    "jobs-table": "chroniker/console/jobs/table.html",
}
#: Commands that import jobs; the last one needs Celery.
IMPORT_COMMANDS = ("import_crontab --dry-run FILE", "import_chroniker --dry-run", "import_celery_beat --dry-run")
#: By the name of the chip: its title, and the state code of its icon.
FILTER_CHIPS: dict[str, tuple[Any, str]] = {
    "all": (gettext_lazy("All"), ""),
    "attention": (gettext_lazy("Needs attention"), "overdue"),
    "running": (gettext_lazy("Running"), "running"),
    "waiting": (gettext_lazy("Waiting"), "waiting"),
    "overdue": (gettext_lazy("Overdue"), "overdue"),
    "failing": (gettext_lazy("Failing"), "failing"),
    "held": (pgettext_lazy("a job after a failure", "Held"), "on_hold"),
    "never": (gettext_lazy("Never ran"), "scheduled"),
    "disabled": (gettext_lazy("Disabled"), "disabled"),
}
ORDER_TITLES: dict[str, Any] = {
    "attention": gettext_lazy("Attention first"),
    "next": gettext_lazy("Next run"),
    "name": gettext_lazy("Name"),
    "last": gettext_lazy("Last run"),
    "slowest": gettext_lazy("Slowest"),
    "success": gettext_lazy("Lowest success rate"),
}


def job_list_view(job_admin: Any, request: HttpRequest) -> HttpResponse:
    """The page. Its parameters: ``show``, ``q``, ``group``, ``queue``, ``executor``, ``command``, ``owner``, ``tag``,
    ``host``, ``o`` (the order), ``after`` (the page).

    With an unknown value the list is empty; an unknown ``show`` or ``o`` is ignored.
    """
    if not job_admin.has_view_or_change_permission(request):
        raise PermissionDenied
    chosen, order, now = read_job_filter(request), _read_sort_order(request), database_now()
    conditions, cursor = fetch_job_conditions(now), request.GET.get("after", "")
    page = job_order.fetch_job_page(chosen, conditions, order, cursor)
    prefetch_related_objects(page.jobs, Prefetch("tags", to_attr="shown_tags"))  # lists need no manager for each row
    may = get_job_permissions(job_admin, request)
    overviews = fetch_job_status(page.jobs, now, health_facts.get_cached_health_facts(now)).values()
    past = fetch_latest_runs([each.state for each in overviews]) if may.view_runs else {}
    rows = job_rows(overviews, past, SharedRowValues(may, fetch_health(now).tick))
    counts, is_whole_list = job_filters.count_jobs_by_show_filter(conditions), not (page.cursor or cursor)
    context = {
        "title": _("Jobs"),
        "opts": Job._meta,
        "media": job_admin.media,
        "may": may,
        "now": now,
        "when_empty": job_admin.when_empty,
        "chips": _filter_chips(request, chosen.show, counts),
        "filter": chosen,
        "is_filtered": not chosen.is_empty,
        "has_jobs": counts["all"] > 0,
        "selects": _filter_selects(chosen, now),
        "order": order,
        "orders": list(ORDER_TITLES.items()),
        "jobs": page.jobs,
        "sections": group_rows_into_sections(rows, by_attention=order == "attention", is_whole_list=is_whole_list),
        "next_page": _query_with_changed_values(request, after=page.cursor) if page.cursor else "",
        "first_page": _query_with_changed_values(request, after="") if cursor else "",
        "here": request.get_full_path(),
        **_export_and_import_context(request),
    }
    return render_console_page(job_admin.admin_site, request, PAGE_TEMPLATE, "jobs", context, FRAGMENT_TEMPLATES)


def _read_sort_order(request: HttpRequest) -> str:
    order = request.GET.get("o", "")
    return order if order in ORDER_TITLES else "attention"


def _export_and_import_context(request: HttpRequest) -> dict[str, Any]:
    """The address that exports the shown jobs, and the commands that import jobs."""
    return {
        "code_url": f"{admin_url('chroniker_job_list_code')}{_query_with_changed_values(request, after='', o='')}",
        "import_commands": IMPORT_COMMANDS if apps.is_installed("chroniker_celery") else IMPORT_COMMANDS[:2],
    }


def read_job_filter(request: HttpRequest) -> JobFilter:
    """The filter in the query."""
    texts = {
        name: read_query_text(request.GET, name)
        for name in ("group", "queue", "executor", "command", "owner", "tag", "host")
    }
    texts["tag"] = texts["tag"].lower()  # as each tag is
    show, search = request.GET.get("show", ""), read_query_text(request.GET, "q").strip()
    return JobFilter(show=show if show in VALUES_OF_SHOW_FILTER else "all", search=search, **texts)


def _filter_chips(request: HttpRequest, chosen_name: str, counts: dict[str, int]) -> list[dict[str, Any]]:
    return [
        {
            "title": title,
            "code": code,
            "count": format_count(counts[name])
            if counts[name] <= MAX_JOBS_COUNTED
            else f"{format_count(MAX_JOBS_COUNTED)}+",
            "url": _query_with_changed_values(request, show=name if name != "all" else "", after=""),
            "is_current": name == chosen_name,
        }
        for name, (title, code) in FILTER_CHIPS.items()
        if counts[name] or name in ("all", chosen_name)
    ]


def _filter_selects(job_filter: JobFilter, now: Any) -> list[dict[str, Any]]:
    """The fields of the filter, without those that offer no choice. A chosen value is offered even if no job has it."""
    found = job_filters.fetch_filter_choices(now)
    selects = (
        ("group", _("Group"), found.groups),
        ("queue", _("Queue"), found.queues),
        ("executor", _("Executor"), found.executors),
        ("command", _("Command"), found.commands),
        ("owner", _("Owner"), found.owners),
        ("tag", _("Tag"), found.tags),
        ("host", _("Ran on"), found.hosts),
    )
    return [
        {"name": name, "title": title, "values": sorted({*values, value} - {""}, key=str.casefold), "value": value}
        for name, title, values in selects
        if (value := getattr(job_filter, name)) or len(values) > 1
    ]


def _query_with_changed_values(request: HttpRequest, **changed_values: str) -> str:
    """The query of this page with other values; an empty value removes the parameter."""
    pairs = {**request.GET.dict(), **changed_values}
    return f"?{urlencode({name: value for name, value in pairs.items() if value})}"
