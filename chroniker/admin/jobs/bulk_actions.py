"""Bulk actions of the list of jobs: enable, disable, run, stop."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from chroniker import lifecycle
from chroniker.admin.jobs import action_confirmation
from chroniker.admin.jobs.action_confirmation import ActionQuestion, confirmation_page_if_needed
from chroniker.admin.shared import run_and_stop
from chroniker.clock import jump_detection
from chroniker.conf import settings
from chroniker.models import Job

if TYPE_CHECKING:
    JobAdminBase = admin.ModelAdmin[Job]
else:
    JobAdminBase = object

#: The largest number of jobs that one action runs or stops. Each job costs some statements and a message to the broker.
MAX_JOBS_AT_ONCE = 100


def book_next_runs_after_commit(job_ids: list[int]) -> None:
    """Book these jobs after the commit, so that the next page shows their next run.

    If this fails, no booking is lost: the jobs stay marked as edited, and the next tick books them.
    """
    ids = job_ids[: settings.batch_size]
    transaction.on_commit(lambda: _book_next_runs(ids), using=settings.database, robust=True)


def _book_next_runs(job_ids: list[int]) -> None:
    with suppress(jump_detection.ClockJumped):
        lifecycle.book_next_instants(job_ids, jump_detection.read_trusted_now())


class BulkActionsMixin(JobAdminBase):
    """The actions. Each shows the number of changed jobs, and why it left out others."""

    actions: tuple[str, ...] = ("enable", "disable", "run_now", "stop")

    @admin.action(description=gettext_lazy("Enable selected jobs"), permissions=["change"])
    def enable(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        changed = self.set_enabled(request, jobs, enabled=True)
        text = ngettext("%(n)d job was enabled.", "%(n)d jobs were enabled.", changed)
        self.message_user(request, text % {"n": changed}, messages.SUCCESS if changed else messages.INFO)

    @admin.action(description=gettext_lazy("Disable selected jobs"), permissions=["change"])
    def disable(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponse | None:
        if page := confirmation_page_if_needed(self, request, jobs, action_confirmation.DISABLE_QUESTION):
            return page
        changed = self.set_enabled(request, jobs, enabled=False)
        text = ngettext(
            "%(n)d job was disabled. If it has an open run, the run continues.",
            "%(n)d jobs were disabled. Open runs continue.",
            changed,
        )
        self.message_user(request, text % {"n": changed}, messages.SUCCESS if changed else messages.INFO)
        return None

    @admin.action(description=gettext_lazy("Run selected jobs now"), permissions=["run"])
    def run_now(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponse | None:
        return self.run_jobs_if_confirmed(request, jobs, action_confirmation.RUN_QUESTION)

    @admin.action(description=gettext_lazy("Stop selected jobs"), permissions=["stop"])
    def stop(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponse | None:
        if self._refuse_if_too_many(request, jobs):
            return None
        if page := confirmation_page_if_needed(self, request, jobs, action_confirmation.STOP_QUESTION):
            return page
        run_and_stop.stop_jobs(request, jobs)
        return None

    def run_jobs_if_confirmed(
        self, request: HttpRequest, jobs: QuerySet[Job], question: ActionQuestion
    ) -> HttpResponse | None:
        """Run these jobs now if the user has confirmed this; otherwise return the page that asks."""
        if self._refuse_if_too_many(request, jobs):
            return None
        if page := confirmation_page_if_needed(self, request, jobs, question):
            return page
        # ``jobs`` may be monitors, a proxy model. The log entries must be for the job, because its page shows them.
        run_and_stop.run_jobs(request, Job.objects.filter(pk__in=jobs.order_by().values("pk")))
        return None

    def has_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("chroniker.run_job")

    def has_run_with_arguments_permission(self, request: HttpRequest) -> bool:
        """Whether the user may run jobs and may also change them. The arguments decide what a job does."""
        return self.has_run_permission(request) and self.has_change_permission(request)

    def has_stop_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("chroniker.stop_job")

    def set_enabled(self, request: HttpRequest, jobs: QuerySet[Job], *, enabled: bool) -> int:
        """Set ``enabled``, and return how many jobs the UPDATE changed."""
        chosen = Job.objects.filter(pk__in=jobs.order_by().values("pk"))
        others = list(chosen.exclude(enabled=enabled).only("name").order_by("pk"))
        ids = [job.pk for job in others]
        with transaction.atomic(using=settings.database):
            changed = sum(
                Job.objects.filter(pk__in=ids[start : start + 500], enabled=not enabled).update(enabled=enabled)
                for start in range(0, len(ids), 500)
            )
            run_and_stop.log_job_action(request, others, _("Enabled.") if enabled else _("Disabled."))
            book_next_runs_after_commit(ids)
        return changed

    def _refuse_if_too_many(self, request: HttpRequest, jobs: QuerySet[Job]) -> bool:
        count = jobs.count()
        if count <= MAX_JOBS_AT_ONCE:
            return False
        text = _("%(n)d jobs are selected, but at most %(most)d can be run or stopped at once. Nothing was changed.")
        self.message_user(request, text % {"n": count, "most": MAX_JOBS_AT_ONCE}, messages.ERROR)
        return True
