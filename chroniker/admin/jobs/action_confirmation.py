"""The page that asks before an action disables, runs or stops jobs. It says what will happen to each job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker.admin.jobs.job_head import executor_queue_priority_text
from chroniker.admin.shared.console_page import render_console_page
from chroniker.admin.shared.site_links import admin_url
from chroniker.eligibility import explanations
from chroniker.insights.job_status import JobStatus, fetch_job_status
from chroniker.models import Job, Status
from chroniker.wording.formats import NO_VALUE_TEXT, format_count, short_duration, short_time

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

#: The largest number of jobs that the page lists. It only counts the others.
MAX_LISTED_JOBS = 100
PAGE_TEMPLATE = "chroniker/console/jobs/confirm.html"


@dataclass(frozen=True, slots=True)
class ActionEffect:
    """What will happen to one job. ``is_left_out``: nothing happens to it, and the text says why."""

    overview: JobStatus
    text: str
    tone: str = ""
    usual_duration: str = NO_VALUE_TEXT
    is_left_out: bool = False

    @property
    def url(self) -> str:
        return admin_url("chroniker_job_status", self.overview.job.pk)


@dataclass(frozen=True, slots=True)
class ActionQuestion:
    """The question on the page. ``action``: the name of the admin action that starts when the user confirms.

    ``affects``: the condition that a job meets if the action will change it. The page uses it to count the jobs that it
    does not list. Only *disable* accepts more jobs than the page lists.
    """

    action: str
    title: Callable[[int], str]
    note: Callable[[], str]
    button: Callable[[int], str]
    effects: Callable[[Sequence[JobStatus]], list[ActionEffect]]
    affects: Q = field(default_factory=Q)


def _predict_effects_of_run(overviews: Sequence[JobStatus]) -> list[ActionEffect]:
    reasons = explanations.reasons_jobs_cannot_run_now([overview.state for overview in overviews])
    return [_predict_effect_of_run_on_job(overview, reasons[overview.job.pk]) for overview in overviews]


def _predict_effect_of_run_on_job(overview: JobStatus, reason: str | None) -> ActionEffect:
    usual_duration = short_duration(overview.state.p50)
    if reason is not None:
        text = _("Is left out. %(reason)s") % {"reason": reason}
        return ActionEffect(overview, text, "wait", usual_duration, is_left_out=True)
    text = _("Runs at once; executor, queue: %(where)s") % {"where": executor_queue_priority_text(overview.job)}
    return ActionEffect(overview, text, usual_duration=usual_duration)


def _predict_effects_of_stop(overviews: Sequence[JobStatus]) -> list[ActionEffect]:
    return [_predict_effect_of_stop_on_job(overview) for overview in overviews]


def _predict_effect_of_stop_on_job(overview: JobStatus) -> ActionEffect:
    if overview.lease is None:
        return ActionEffect(overview, _("Is left as it is: it has no open run"), "idle", is_left_out=True)
    run = overview.lease.run
    if run.status != Status.RUNNING:
        return ActionEffect(overview, _("Run %(token)d is cancelled before it starts") % {"token": run.token}, "wait")
    words = {"token": run.token, "time": short_duration(overview.now - (run.started_at or run.claimed_at))}
    text = _("Run %(token)d is stopped; it has been running for %(time)s") % words
    return ActionEffect(overview, text, "wait", short_duration(overview.state.p50))


def _predict_effects_of_disable(overviews: Sequence[JobStatus]) -> list[ActionEffect]:
    return [_predict_effect_of_disable_on_job(overview) for overview in overviews]


def _predict_effect_of_disable_on_job(overview: JobStatus) -> ActionEffect:
    if not overview.job.enabled:
        return ActionEffect(overview, _("Is disabled already"), "idle", is_left_out=True)
    text = _("Is not started any more")
    if overview.next_run is not None:
        text = _("Is not started any more; the run due at %(time)s will not start") % {
            "time": short_time(overview.next_run, overview.now)
        }
    if overview.is_open:
        text = _("%(text)s. Its open run continues") % {"text": text}
    return ActionEffect(overview, text)


DISABLE_QUESTION = ActionQuestion(
    "disable",
    lambda n: ngettext("Disable %(n)s job?", "Disable %(n)s jobs?", n) % {"n": format_count(n)},
    lambda: _("A disabled job is not started until it is enabled again. The log records this action with your name."),
    lambda n: ngettext("Disable %(n)s job", "Disable %(n)s jobs", n) % {"n": format_count(n)},
    _predict_effects_of_disable,
    Q(enabled=True),
)
RUN_QUESTION = ActionQuestion(
    "run_now",
    lambda n: ngettext("Run %(n)s job now?", "Run %(n)s jobs now?", n) % {"n": format_count(n)},
    lambda: _("Schedules do not change. The log records this action with your name."),
    lambda n: ngettext("Run %(n)s job", "Run %(n)s jobs", n) % {"n": format_count(n)},
    _predict_effects_of_run,
)
STOP_QUESTION = ActionQuestion(
    "stop",
    lambda n: ngettext("Stop %(n)s job?", "Stop %(n)s jobs?", n) % {"n": format_count(n)},
    lambda: _("Schedules do not change. The log records this action with your name."),
    lambda n: ngettext("Stop %(n)s job", "Stop %(n)s jobs", n) % {"n": format_count(n)},
    _predict_effects_of_stop,
)
CHECK_MONITORS_QUESTION = ActionQuestion(
    "check_now",
    lambda n: ngettext("Check %(n)s monitor now?", "Check %(n)s monitors now?", n) % {"n": format_count(n)},
    lambda: _("One run of each monitor is started, in addition to its scheduled runs."),
    lambda n: ngettext("Check %(n)s monitor", "Check %(n)s monitors", n) % {"n": format_count(n)},
    _predict_effects_of_run,
)


def confirmation_page_if_needed(
    model_admin: ModelAdmin[Any], request: HttpRequest, jobs: QuerySet[Any], question: ActionQuestion
) -> HttpResponse | None:
    """The page that asks; ``None`` if the user has already confirmed the action for this number of selected jobs.

    When the user confirms, "select all" selects the jobs a second time. If their number has changed by then, the page
    asks again.
    """
    number = jobs.count()
    if request.POST.get("confirmed") == str(number):
        return None
    chosen = Job.objects.filter(pk__in=jobs.order_by().values("pk")).select_related("group", "state")
    listed = list(chosen.order_by("name")[:MAX_LISTED_JOBS])
    overviews = list(fetch_job_status(listed).values())
    of_list = admin_url(f"chroniker_{model_admin.opts.model_name}_changelist")
    effects = question.effects(overviews)
    affected = sum(not effect.is_left_out for effect in effects)
    if number > len(listed):
        affected += chosen.exclude(pk__in=[job.pk for job in listed]).filter(question.affects).count()
    context = {
        "title": question.title(affected) if affected else _("Nothing to do"),
        "note": question.note() if affected else "",
        "left_out": number - affected,
        "button": question.button(affected) if affected else "",
        "question": question,
        "opts": model_admin.opts,
        "count": number,
        "number_changed": "confirmed" in request.POST,
        "effects": effects,
        "jobs": listed,
        "unlisted": number - len(listed),
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "next": request.POST.get("next", ""),
        "back": _cancel_button_url(request, of_list, listed),
    }
    return render_console_page(model_admin.admin_site, request, PAGE_TEMPLATE, "jobs", context)


def _cancel_button_url(request: HttpRequest, list_url: str, listed_jobs: Sequence[Job]) -> str:
    """The address behind “Cancel”: the list with its filters, or the page of the job."""
    if request.path == list_url:
        return request.get_full_path()
    return admin_url("chroniker_job_status", listed_jobs[0].pk) if len(listed_jobs) == 1 else list_url
