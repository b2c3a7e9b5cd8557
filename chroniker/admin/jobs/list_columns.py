"""The columns of the list of jobs. The list has fetched the data of all rows before (``JobChangeList``)."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chroniker.admin.shared.job_cells import Overview
from chroniker.admin.shared.live_refresh import cell_name
from chroniker.admin.shared.site_links import admin_url
from chroniker.models import Job
from chroniker.schedule import describe


class JobColumns:
    @admin.display(description=_("job and schedule"), ordering="name")
    def job(self, job: Job) -> SafeString:
        url = admin_url("chroniker_job_change", job.pk)
        link = format_html('<a href="{}">{}</a>', url, job.name)
        return format_html('<span class="chroniker-cell">{}<small>{}</small></span>', link, describe(job.spec))

    @admin.display(description=_("state"))
    def now(self, job: Job) -> SafeString:
        """The state, the progress of the run, and the reason where the state alone does not explain it."""
        return format_html('<div class="chroniker-words">{}{}{}</div>', *_cells(job, "state", "progress", "doubt"))

    @admin.display(description=_("next run"), ordering="state__next_run")
    def next_run(self, job: Job) -> SafeString:
        return _cells(job, "next_run", label=gettext("Next run"))[0]

    @admin.display(description=_("last result"), ordering="state__last_finished_at")
    def last_result(self, job: Job) -> SafeString:
        return _cells(job, "last_result", label=gettext("Last result"))[0]


def _cells(job: Job, *columns: str, label: str = "") -> list[SafeString]:
    overview: Overview = job.__dict__["overview"]
    cells = overview.cells()
    return [cells[column].html(cell_name("job", job.pk, column), label) for column in columns]
