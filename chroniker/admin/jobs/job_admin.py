"""The admin class of jobs: list, form, and the addresses of the pages of one job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import path
from django.urls.resolvers import URLPattern
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chroniker.admin.graph import graph_page
from chroniker.admin.jobs import (
    backfill_page,
    causes,
    code_page,
    command_field,
    crontab_page,
    edit_preview,
    job_page,
    list_page,
    retry_views,
    run_and_stop_views,
    run_with_arguments,
    runs_page,
    schedule_page,
    status_page,
    switching,
)
from chroniker.admin.jobs.bulk_actions import BulkActions, book_soon
from chroniker.admin.jobs.cloning import Cloning
from chroniker.admin.jobs.declared_fields import DeclaredFields
from chroniker.admin.jobs.deletion import Deletion
from chroniker.admin.jobs.dependency_inline import DependencyInline
from chroniker.admin.jobs.form_times import times_in
from chroniker.admin.jobs.job_form import JobForm
from chroniker.admin.jobs.trigger_inlines import StartedByInline, StartsInline
from chroniker.admin.operations import now_page, timeline_page
from chroniker.admin.shared import pause_page
from chroniker.admin.shared.audit_rows import AuditedHistory
from chroniker.admin.shared.changed_values import ChangedValues
from chroniker.admin.shared.site_links import SiteLinks, admin_url
from chroniker.models import Channel, Job

if TYPE_CHECKING:
    JobModelAdmin = admin.ModelAdmin[Job]
else:
    JobModelAdmin = admin.ModelAdmin


#: Modules with pages below the list of jobs. Each has ``urls(job_admin)``.
PAGES: tuple[Any, ...] = (
    now_page,
    timeline_page,
    schedule_page,
    causes,
    backfill_page,
    edit_preview,
    command_field,
    run_with_arguments,
    run_and_stop_views,
    retry_views,
    switching,
    status_page,
    runs_page,
    code_page,
    crontab_page,
    graph_page,
)


@admin.register(Job)
class JobAdmin(SiteLinks, ChangedValues, AuditedHistory, BulkActions, Cloning, Deletion, DeclaredFields, JobModelAdmin):
    actions = (*BulkActions.actions, "delete_selected")
    form = JobForm
    inlines = (DependencyInline, StartsInline, StartedByInline)
    list_display = ("name", "command")
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
        """The console's list. Django's own one runs the actions, and is the pop-up that chooses a job."""
        if IS_POPUP_VAR in request.GET:
            return super().changelist_view(request, extra_context)
        if request.method != "POST":
            return list_page.list_page(self, request)
        request.GET = QueryDict()  # Django's list refuses parameters that it does not know
        return super().changelist_view(request, extra_context)

    # -- the page --------------------------------------------------------------------------------------------

    def get_autocomplete_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """Subscribers and channels are found by search where the site has an admin for them with a search."""
        models: dict[str, Any] = {"subscribers": get_user_model(), "channels": Channel}
        registered = {name: each for name, each in models.items() if self.admin_site.is_registered(each)}
        return tuple(name for name, each in registered.items() if self.admin_site.get_model_admin(each).search_fields)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        job: Job | None = kwargs.get("obj")
        context |= job_page.edit_context(self, request, job)
        if job is None and (source := self.cloned(request)):
            context["title"] = gettext("Clone “%(job)s”") % {"job": source}
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Job, form: Any, change: bool) -> None:
        """Write only the changed columns; then book the job, after the commit."""
        if not change:
            obj.save()
        elif form.changed_columns:
            obj.save(update_fields=form.changed_columns)
        book_soon([obj.pk])

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        with times_in(form.instance.timezone):
            return super().construct_change_message(request, form, formsets, add)

    def pause_view(self, request: HttpRequest) -> HttpResponse:
        """Pause or resume all jobs, whatever the list shows."""
        return pause_page.pause_page(self.admin_site, request, None, admin_url("chroniker_job_now"))

    def get_urls(self) -> list[URLPattern]:
        own = [path("pause/", self.admin_site.admin_view(self.pause_view), name="chroniker_job_pause")]
        return own + [address for page in PAGES for address in page.urls(self)] + super().get_urls()
