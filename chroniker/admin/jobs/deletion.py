"""Deletion of jobs with their runs and output. The open run of a job is stopped first, and its end deletes the job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.contrib.admin.models import DELETION, LogEntry
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from chroniker import lifecycle
from chroniker.admin.shared import run_and_stop
from chroniker.admin.shared.site_links import redirect_to
from chroniker.conf import settings
from chroniker.exceptions import ChronikerError
from chroniker.lifecycle.transactions import lock_rows
from chroniker.models import Job, JobDependency, JobState, Lease, Run
from chroniker.scheduler import job_deletion, stopping

if TYPE_CHECKING:
    JobAdminBase = admin.ModelAdmin[Job]
else:
    JobAdminBase = object

#: The largest number of jobs that the confirmation page lists.
MAX_LISTED_JOBS = 50


class DeletionRefused(ChronikerError):
    """The job is declared in code."""


def delete_now_or_after_run(request: HttpRequest, jobs: Sequence[Job]) -> list[Job]:
    """Delete these jobs. Return the jobs that are deleted later, when their open run ends. Log each job.

    If one of them is declared in code, no job is deleted, and ``DeletionRefused`` is raised. The function first locks
    the job states, as a claim does. So no claim of these jobs is possible during the deletion.
    """
    ids = [job.pk for job in jobs]
    with transaction.atomic(using=settings.database):
        list(lock_rows(JobState.objects.filter(pk__in=ids), skip=False))
        if names := list(fetch_declaration_places_by_name(ids)):
            text = _("Nothing was deleted. These jobs are declared in code and would be created again: %(names)s.")
            raise DeletionRefused(text % {"names": ", ".join(f"“{name}”" for name in names)})
        job_deletion.request_job_deletion(ids)
        for lease in Lease.objects.filter(job__in=ids, slot="").order_by("pk"):
            stopping.stop_run(lease.run_id, requested_by=request.user.get_username())
        gone = set(lifecycle.delete_jobs(ids, wait_for_locks=True))
        if removed := [job for job in jobs if job.pk in gone]:
            LogEntry.objects.log_actions(request.user.pk, removed, DELETION)  # type: ignore[arg-type]  # logged in
        waiting = [job for job in jobs if job.pk not in gone]
        run_and_stop.log_job_action(
            request, waiting, _("Disabled, stop requested. The job will be deleted when its run ends.")
        )
    return waiting


def fetch_names_of_jobs_with_open_run(job_ids: Sequence[int]) -> list[str]:
    names = Job.objects.filter(pk__in=Lease.objects.filter(job__in=job_ids).values("job")).values_list(
        "name", flat=True
    )
    return list(names.order_by("name"))


def fetch_declaration_places_by_name(job_ids: Sequence[int]) -> dict[str, str]:
    """For each job that is declared in code: its name, and the place of its declaration.

    If such a job was deleted, the next ``sync_jobs`` would create it again.
    """
    jobs = Job.objects.filter(pk__in=job_ids, enabled_when_removed=None).exclude(managed_by="")
    return dict(jobs.order_by("name").values_list("name", "managed_by"))


def fetch_deletion_consequences(jobs: Sequence[Job]) -> tuple[list[str], dict[str, int], list[str]]:
    """For the confirmation page: what would be deleted (sentences, then numbers), and what prevents the deletion."""
    ids = [job.pk for job in jobs]
    counted = Run.objects.filter(job__in=ids).order_by().values_list("job").annotate(Count("pk"))
    runs = dict(counted)
    lines = [_job_and_runs_text(job, runs.get(job.pk, 0)) for job in jobs[:MAX_LISTED_JOBS]]
    open_ = _(
        "“%(name)s” has an open run: the job will be disabled, the run stopped, and the job deleted when the "
        "run has ended"
    )
    lines += [open_ % {"name": name} for name in fetch_names_of_jobs_with_open_run(ids)[:MAX_LISTED_JOBS]]
    waiting = (
        JobDependency.objects.filter(dependee__in=ids)
        .exclude(dependent__in=ids)
        .select_related("dependent", "dependee")
    )
    lines += [
        _("“%(dependent)s” would no longer wait for “%(dependee)s”")
        % {"dependent": dependency.dependent, "dependee": dependency.dependee}
        for dependency in waiting[:MAX_LISTED_JOBS]
    ]
    numbers = {
        str(capfirst(Job._meta.verbose_name_plural)): len(jobs),
        str(capfirst(Run._meta.verbose_name_plural)): sum(runs.values()),
    }
    against = [
        _("the declaration of “%(name)s” in %(where)s (remove it first; the job is then disabled and can be deleted)")
        % {"name": name, "where": where}
        for name, where in fetch_declaration_places_by_name(ids).items()
    ]
    return lines, numbers, against


def _job_and_runs_text(job: Job, run_count: int) -> str:
    text = ngettext("%(job)s, with %(n)d run and its output", "%(job)s, with %(n)d runs and their output", run_count)
    return text % {"job": job, "n": run_count}


class DeletionMixin(JobAdminBase):
    """Mixin of the admin class: its confirmation page counts rows instead of loading them; open runs are stopped."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Counts related rows instead of loading them: a job may have thousands of runs."""
        lines, numbers, against = fetch_deletion_consequences(list(objs))
        lacking = set() if self.has_delete_permission(request) else {self.opts.verbose_name}
        return lines, numbers, lacking, against

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Does nothing. ``delete_now_or_after_run`` logs each job, because it knows which jobs are deleted later."""

    def delete_model(self, request: HttpRequest, obj: Job) -> None:
        delete_now_or_after_run(request, [obj])

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except DeletionRefused as refusal:  # declared while the confirmation page was open
            messages.error(request, str(refusal))
            return redirect_to("chroniker_job_change", object_id)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        if not Job.objects.filter(pk=obj_id).exists():
            return super().response_delete(request, obj_display, obj_id)
        messages.warning(request, _deleted_later_text([obj_display]))
        return redirect_to("chroniker_job_change", obj_id)

    @admin.action(description=gettext_lazy("Delete selected jobs"), permissions=["delete"])
    def delete_selected(self, request: HttpRequest, jobs: QuerySet[Job]) -> Any:
        if not request.POST.get("post") or self.get_deleted_objects(jobs, request)[3]:
            return delete_selected(self, request, jobs)
        chosen = list(jobs)
        try:
            waiting = delete_now_or_after_run(request, chosen)
        except DeletionRefused as refusal:
            messages.error(request, str(refusal))
            return None
        if gone := len(chosen) - len(waiting):
            text = ngettext("%(n)d job was deleted.", "%(n)d jobs were deleted.", gone)
            messages.success(request, text % {"n": gone})
        if waiting:
            messages.warning(request, _deleted_later_text([job.name for job in waiting]))
        return None


def _deleted_later_text(names: Sequence[str]) -> str:
    text = ngettext(
        "%(names)s was disabled and its run is being stopped. The job will be deleted when the run ends.",
        "%(names)s were disabled and their runs are being stopped. Each job will be deleted when its run ends.",
        len(names),
    )
    shown = ", ".join(f"“{name}”" for name in names[: run_and_stop.MAX_LISTED_IN_MESSAGE])
    return text % {"names": shown + (" …" if len(names) > run_and_stop.MAX_LISTED_IN_MESSAGE else "")}
