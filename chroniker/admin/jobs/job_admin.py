"""The admin class of jobs: list, form, and the addresses of the pages of one job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls.resolvers import URLPattern
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chroniker.admin.jobs import job_page
from chroniker.admin.jobs.bulk_actions import BulkActionsMixin, book_next_runs_after_commit
from chroniker.admin.jobs.cloning import CloningMixin
from chroniker.admin.jobs.declared_fields import ReadOnlyDeclaredFieldsMixin
from chroniker.admin.jobs.deletion import DeletionMixin
from chroniker.admin.jobs.dependency_inline import DependencyInline
from chroniker.admin.jobs.form_times import use_time_zone
from chroniker.admin.jobs.job_form import JobForm
from chroniker.admin.jobs.trigger_inlines import TriggerSourcesInline, TriggerTargetsInline
from chroniker.admin.shared.audit_rows import AuditedHistoryMixin
from chroniker.admin.shared.changed_values import ChangedValuesMixin
from chroniker.admin.shared.page_addresses import PageAddress, make_url_patterns
from chroniker.admin.shared.site_links import SiteLinksMixin
from chroniker.models import Channel, Job

if TYPE_CHECKING:
    JobModelAdmin = admin.ModelAdmin[Job]
else:
    JobModelAdmin = admin.ModelAdmin


JOB_ROUTE = "<int:object_id>/"
PAGE_ADDRESSES = (
    PageAddress("now/", "operations.now_page.now_page_view", "job_now"),
    PageAddress("pulse/", "shared.console_page.refresh_bar_view", "job_pulse"),
    PageAddress("pause/", "shared.pause_page.pause_all_jobs_view", "job_pause"),
    PageAddress("timeline/", "operations.timeline_page.timeline_view", "job_timeline"),
    PageAddress("graph/", "graph.graph_page.graph_view", "job_graph"),
    PageAddress("preview/", "jobs.edit_preview.edit_preview_view", "job_preview", is_json=True),
    PageAddress("command/", "jobs.command_field.command_help_view", "job_command", is_json=True),
    PageAddress("code/", "jobs.code_page.job_list_code_view", "job_list_code"),
    PageAddress("import-crontab/", "jobs.crontab_page.crontab_view", "job_import_crontab"),
    PageAddress(f"{JOB_ROUTE}status/", "jobs.status_page.status_view", "job_status"),
    PageAddress(f"{JOB_ROUTE}schedule/", "jobs.schedule_page.schedule_view", "job_schedule"),
    PageAddress(f"{JOB_ROUTE}discard/", "jobs.causes.discard_activations_view", "job_discard"),
    PageAddress(f"{JOB_ROUTE}backfill/", "jobs.backfill_page.backfill_view", "job_backfill"),
    PageAddress(f"{JOB_ROUTE}runs/", "jobs.runs_page.job_runs_view", "job_runs"),
    PageAddress(f"{JOB_ROUTE}code/", "jobs.code_page.job_code_view", "job_code"),
    PageAddress(f"{JOB_ROUTE}run/", "jobs.run_and_stop_views.run_job_view", "job_run"),
    PageAddress(f"{JOB_ROUTE}run-with/", "jobs.run_with_arguments.run_with_arguments_view", "job_run_with"),
    PageAddress(f"{JOB_ROUTE}stop/", "jobs.run_and_stop_views.stop_job_view", "job_stop"),
    PageAddress(f"{JOB_ROUTE}resume/", "jobs.run_and_stop_views.resume_job_view", "job_resume"),
    PageAddress(f"{JOB_ROUTE}retry-now/", "jobs.retry_views.retry_now_view", "job_retry_now"),
    PageAddress(f"{JOB_ROUTE}cancel-retry/", "jobs.retry_views.cancel_retry_view", "job_cancel_retry"),
    PageAddress(f"{JOB_ROUTE}enable/", "jobs.switching.enable_job_view", "job_enable"),
    PageAddress(f"{JOB_ROUTE}disable/", "jobs.switching.disable_job_view", "job_disable"),
)


@admin.register(Job)
class JobAdmin(
    SiteLinksMixin,
    ChangedValuesMixin,
    AuditedHistoryMixin,
    BulkActionsMixin,
    CloningMixin,
    DeletionMixin,
    ReadOnlyDeclaredFieldsMixin,
    JobModelAdmin,
):
    actions = (*BulkActionsMixin.actions, "delete_selected")
    form = JobForm
    inlines = (DependencyInline, TriggerTargetsInline, TriggerSourcesInline)
    list_display = ("name", "command")  # in the pop-up of a field; the list itself is `list_page`
    list_max_show_all = 100
    search_fields = ("name", "command", "raw_command", "args")
    search_help_text = _("Name, command or arguments")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    save_on_top = False
    fieldsets = job_page.FIELDSETS
    change_form_template = "admin/chroniker/job/change_form.html"
    when_empty = _(
        "No jobs yet. Add one, declare jobs in code, or import jobs with “manage.py import_crontab” "
        "or “manage.py import_chroniker”."
    )

    class Media:
        css = {"all": ("chroniker/console/job-form.css",)}
        js = ("chroniker/job-form.js", "chroniker/command-choice.js", "chroniker/what-runs.js")

    # -- the list --------------------------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list of the console. Django's own list runs the actions, and is the pop-up in which one chooses a job."""
        if IS_POPUP_VAR in request.GET:
            return super().changelist_view(request, extra_context)
        if request.method != "POST":
            from chroniker.admin.jobs import list_page  # late, as all pages

            return list_page.job_list_view(self, request)
        request.GET = QueryDict()  # Django's list refuses parameters that it does not know
        return super().changelist_view(request, extra_context)

    # -- the page --------------------------------------------------------------------------------------------

    def get_autocomplete_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """Search fields for subscribers and channels, if the site has an admin class with a search for them."""
        models: dict[str, Any] = {"subscribers": get_user_model(), "channels": Channel}
        registered = {name: each for name, each in models.items() if self.admin_site.is_registered(each)}
        return tuple(name for name, each in registered.items() if self.admin_site.get_model_admin(each).search_fields)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        job: Job | None = kwargs.get("obj")
        context |= job_page.edit_page_context(self, request, job)
        if job is None and (source := self.fetch_job_to_clone(request)):
            context["title"] = gettext("Clone “%(job)s”") % {"job": source}
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Job, form: Any, change: bool) -> None:
        """Write only the changed columns; then book the job, after the commit."""
        if not change:
            obj.save()
        elif form.changed_columns:
            obj.save(update_fields=form.changed_columns)
        book_next_runs_after_commit([obj.pk])

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        with use_time_zone(form.instance.timezone):
            return super().construct_change_message(request, form, formsets, add)

    def get_urls(self) -> list[URLPattern]:
        return make_url_patterns(self, PAGE_ADDRESSES) + super().get_urls()
