"""The page that asks for confirmation before a bulk action disables, runs or stops jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from chroniker.models import Job

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

#: Jobs that the page names; of the others it gives the number.
MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class Question:
    """The question on the page. ``action`` is the name of the admin action that the answer starts."""

    action: str
    title: Any
    consequence: Any
    button: Any


DISABLE = Question(
    "disable",
    _("Disable jobs"),
    _("These jobs will not be started until they are enabled again. Open runs continue."),
    _("Disable"),
)
RUN = Question(
    "run_now",
    _("Run jobs now"),
    _("One run of each job will be started now, in addition to its schedule. Jobs that cannot run now are left out."),
    _("Run now"),
)
STOP = Question(
    "stop",
    _("Stop jobs"),
    _("The open run of each job will be stopped. Jobs without an open run are left as they are."),
    _("Stop"),
)
CHECK = Question(
    "check_now", _("Check monitors now"), _("One run of each monitor will be started now."), _("Check now")
)


def unconfirmed(
    model_admin: ModelAdmin[Any], request: HttpRequest, jobs: QuerySet[Job], question: Question
) -> HttpResponse | None:
    """The page that asks; ``None`` if the person has confirmed the action for this number of jobs.

    The number is compared because "select all" selects again when the answer arrives: if it differs, the page asks
    again.
    """
    count = jobs.count()
    if request.POST.get("confirmed") == str(count):
        return None
    listed = list(jobs.only("name")[:MOST_LISTED])
    context = {
        **model_admin.admin_site.each_context(request),
        "title": question.title,
        "question": question,
        "opts": model_admin.opts,
        "count": count,
        "number_changed": "confirmed" in request.POST,
        "jobs": listed,
        "unlisted": count - len(listed),
        "checkbox_name": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "admin/chroniker/job/confirm_action.html", context)
