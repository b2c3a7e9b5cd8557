"""The page of one job: the groups of its form, and the panel with state, latest runs and history above it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chroniker.admin.jobs import dependency_list, duration_chart, ledger_page, schedule_preview
from chroniker.admin.operations import reliability_page
from chroniker.admin.shared.job_cells import Overview, overviews
from chroniker.admin.shared.live_refresh import cell_name
from chroniker.admin.shared.run_cells import run_cells
from chroniker.admin.shared.site_links import admin_url
from chroniker.clock.database_clock import database_now
from chroniker.models import Job, Run

LATEST_RUNS = 10
RUN_COLUMNS = ("status", "trigger", "scheduled_for", "started", "duration", "reason")

FIELDSETS: Any = (
    (_("Command"), {"fields": ("name", "enabled", "command", "args", "raw_command")}),
    (
        _("Environment"),
        {"fields": ("environment", "secrets", "working_directory"), "classes": ("collapse",)},
    ),
    (
        _("Schedule"),
        {
            "fields": (
                "frequency",
                "cron",
                "params",
                "run_at",
                "timezone",
                ("starts_at", "ends_at"),
                ("dst_gap", "dst_fold"),
                "jitter_seconds",
                "calendar",
                "upcoming",
            )
        },
    ),
    (
        _("Execution"),
        {
            "fields": (
                "overlap",
                "group",
                "timeout_seconds",
                "fail_on_stderr",
                ("max_retries", "retry_backoff_seconds"),
                "retry_on_lost",
                "misfire_grace_seconds",
                "start_deadline_seconds",
                "force_run",
                "force_stop",
            ),
        },
    ),
    (_("Executor and host"), {"fields": ("executor", "queue", "priority", "hostname"), "classes": ("collapse",)}),
    (
        _("Output"),
        {"fields": (("log_stdout", "log_stderr"), "log_max_bytes", "maximum_log_entries"), "classes": ("collapse",)},
    ),
    (
        _("Monitor"),
        {
            "description": _("For a job that checks whether something needs attention, such as check_monitor."),
            "fields": ("is_monitor", "monitor_url", "monitor_description", "monitor_error_template"),
            "classes": ("collapse",),
        },
    ),
    (
        _("Notifications"),
        {
            "description": _(
                "Users who receive an email when a run ends. Errors are runs that failed, timed out, were lost or "
                "were missed."
            ),
            "fields": ("subscribers", ("email_errors_to_subscribers", "email_success_to_subscribers")),
            "classes": ("collapse",),
        },
    ),
)


def status_context(request: HttpRequest, job: Job) -> dict[str, Any]:
    """For the template: the current state, and the latest runs if the person may view runs."""
    overview = overviews([job])[job.pk]
    rows = latest_runs(request, job.pk, overview.now)
    cells = {**overview.cells(), "waits": dependency_list.blocking(job.pk)}
    return {
        "overview": overview,
        "cells": {column: cell.html(cell_name("job", job.pk, column)) for column, cell in cells.items()},
        "live_url": f"{admin_url('chroniker_job_live')}?ids={job.pk}&runs=1",
        "latest_runs": rows and [{**row, "html": [cell.html("") for cell in row["cells"]]} for row in rows],
        **({} if rows is None else _history(overview)),
        **dependency_list.context(job),
    }


def _history(overview: Overview) -> dict[str, Any]:
    job_id, last_token, now = overview.job.pk, overview.state.last_token, overview.now
    return {
        "instants": [[cell.html("") for cell in row] for row in ledger_page.newest_rows(overview)],
        "chart": duration_chart.durations(job_id, last_token, now),
        "reliability": reliability_page.of_job(job_id, last_token, now),
    }


def newest_instants_json(request: HttpRequest, overview: Overview) -> list[list[dict[str, Any]]] | None:
    if not request.user.has_perm("chroniker.view_run"):
        return None
    return [[cell.json() for cell in row] for row in ledger_page.newest_rows(overview)]


def latest_runs(request: HttpRequest, job_id: int, now: dt.datetime) -> list[dict[str, Any]] | None:
    """One row of cells per run; ``None`` if the person may not view runs."""
    if not request.user.has_perm("chroniker.view_run"):
        return None
    runs = Run.objects.filter(job=job_id, parent=None).order_by("-token")[:LATEST_RUNS]
    return [_row(run, now) for run in runs]


def latest_runs_json(request: HttpRequest, job_id: int) -> list[dict[str, Any]] | None:
    rows = latest_runs(request, job_id, database_now())
    return rows and [{**row, "cells": [cell.json() for cell in row["cells"]]} for row in rows]


def _row(run: Run, now: dt.datetime) -> dict[str, Any]:
    cells = run_cells(run, now)
    return {
        "token": run.token,
        "url": admin_url("chroniker_run_change", run.pk),
        "cells": [cells[column] for column in RUN_COLUMNS],
    }


def upcoming(job: Job | None) -> SafeString:
    """The next scheduled times of the saved schedule; a script updates them while the form is edited."""
    shown = (
        schedule_preview.preview_html(schedule_preview.preview(job.spec, job.closed_times))
        if job is not None and job.pk
        else SafeString("")
    )
    return format_html(
        '<div id="chroniker-preview" data-url="{}" data-failed="{}" data-is-new="{}" aria-live="polite">{}</div>',
        admin_url("chroniker_job_preview"),
        gettext("No response from the server."),
        int(job is None or not job.pk),
        shown,
    )
