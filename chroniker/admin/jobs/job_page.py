"""The Edit page of a job: the order of its form fields, and the preview of the edit beside them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from chroniker.admin.shared.alert_cells import ALERT_FIELDSET
from chroniker.admin.shared.site_links import admin_url
from chroniker.models import Job

#: On a narrow page the first group of fields is above the preview.
FIELDSETS: Any = (
    (
        _("When"),
        {
            "fields": (
                "frequency",
                "cron",
                "params",
                "run_at",
                "timezone",
                "jitter_seconds",
                "calendar",
                ("starts_at", "ends_at"),
                ("dst_gap", "dst_fold"),
            )
        },
    ),
    (_("What"), {"fields": ("name", "enabled", "tags", "command", "args", "raw_command")}),
    (
        _("Rules"),
        {
            "fields": (
                ("overlap", "catch_up"),
                "group",
                "timeout_seconds",
                "fail_on_stderr",
                ("max_retries", "retry_backoff_seconds"),
                ("retry_on_lost", "hold_on_failure"),
                "misfire_grace_seconds",
                "start_deadline_seconds",
                "force_run",
                "force_stop",
            ),
        },
    ),
    (
        _("Environment"),
        {"fields": ("environment", "secrets", "working_directory"), "classes": ("collapse",)},
    ),
    (_("Executor and host"), {"fields": ("executor", "queue", "priority", "hostname"), "classes": ("collapse",)}),
    (
        _("Output"),
        {"fields": (("log_stdout", "log_stderr"), "log_max_bytes", "maximum_log_entries"), "classes": ("collapse",)},
    ),
    (
        _("Monitor"),
        {
            "description": _(
                "For a job that runs a check, such as check_monitor, and reports whether something needs attention."
            ),
            "fields": ("is_monitor", "monitor_url", "monitor_description", "monitor_error_template"),
            "classes": ("collapse",),
        },
    ),
    (
        _("Notifications"),
        {
            "description": _(
                "Channels get alerts. Subscribers receive an email when a run ends. Errors are runs that failed, timed "
                "out, were lost or were missed."
            ),
            "fields": (
                "channels",
                "subscribers",
                ("email_errors_to_subscribers", "email_success_to_subscribers"),
                ("owner", "runbook_url"),
            ),
            "classes": ("collapse",),
        },
    ),
    (
        _("Alerts"),
        {
            "description": _(
                "These fields say when a job needs attention. If a field is empty, the value of the group "
                "applies, or else the project's setting. Missed scheduled times, a hold and a schedule error "
                "always raise an alert."
            ),
            "fields": ALERT_FIELDSET,
            "classes": ("collapse",),
        },
    ),
)


def edit_page_context(job_admin: Any, request: HttpRequest, job: Job | None) -> dict[str, Any]:
    """The values for the template of the form. If a posted form was not saved, the preview is of the posted values."""
    from chroniker.admin.jobs import edit_preview, job_head  # late, as all pages
    from chroniker.declared.loading import find_declaration_of_job
    from chroniker.insights.what_if import fetch_saved_job

    context: dict[str, Any] = {"preview_url": admin_url("chroniker_job_preview")}
    saved = fetch_saved_job(job.pk) if job is not None else None
    data = request.POST if request.method == "POST" else None
    if saved is not None or data is not None:
        context |= edit_preview.preview_context(saved, data)
    if job is None:
        return context
    overview = job_head.fetch_job_status_or_404(job.pk)
    head = job_head.job_head_context(job_admin, request, overview, "edit")
    context |= {name: value for name, value in head.items() if name not in ("title", "original", "opts")}
    located = find_declaration_of_job(job) if job.is_declared else None
    context["declared_in"] = str(located) if located is not None else job.managed_by
    return context
