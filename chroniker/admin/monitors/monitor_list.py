"""The rows of the list of monitors: the status of the job, and the number that its latest run reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from chroniker import monitors
from chroniker.exceptions import MonitorError
from chroniker.insights.job_status import JobStatus, fetch_job_status
from chroniker.models import SUPERVISOR_REPORTED_STATUSES, Job, Run, Status
from chroniker.wording.badges import badge, list_cell, relative_time_html
from chroniker.wording.formats import NO_VALUE_TEXT


@dataclass(frozen=True, slots=True)
class MonitorStatus:
    """One monitor.

    ``attention_count``: how many records need attention; ``None`` if the latest run reported no number.
    ``records_url``: the address of these records.
    ``url_error``: why the template of this address cannot be rendered; else empty.
    """

    job_status: JobStatus
    attention_count: int | None
    records_url: str = ""
    url_error: str = ""

    def attention_cell(self) -> SafeString:
        """The number of records that need attention, and the link to them."""
        label = _("Need attention")
        if self.attention_count is None:
            ran = self.job_status.last_status is not None
            note = _("The latest run reported no count.") if ran else ""
            return list_cell(label, NO_VALUE_TEXT, format_html("{} {}", note, self._attention_records_link()))
        shown = badge("failing" if self.attention_count else "ok", str(self.attention_count))
        return list_cell(label, shown, self._attention_records_link())

    def _attention_records_link(self) -> str | SafeString:
        if self.url_error:
            return format_html('<span class="tone" data-tone="bad">{}</span>', self.url_error)
        if not self.records_url:
            return ""
        name = _("View details of “%(name)s”") % {"name": self.job_status.job.name}
        return format_html('<a href="{}" aria-label="{}">{}</a>', self.records_url, name, _("View details"))

    def state_cell(self) -> SafeString:
        why = "" if self.job_status.is_self_explanatory else self.job_status.why
        return list_cell("", badge(self.job_status.state_code), why)

    def last_result_cell(self) -> SafeString:
        last = self.job_status.last_status
        if last is None:
            return list_cell(_("Last result"), NO_VALUE_TEXT)
        return list_cell(
            _("Last result"),
            badge(last),
            relative_time_html(self.job_status.state.last_finished_at, self.job_status.now),
        )


def fetch_monitor_statuses(jobs: Sequence[Job]) -> dict[int, MonitorStatus]:
    """The status of each monitor, by job id. A constant number of statements."""
    facts, counts = fetch_job_status(jobs), fetch_attention_counts([job.pk for job in jobs])
    return {job.pk: _make_monitor_status(job, facts[job.pk], counts) for job in jobs}


def _make_monitor_status(job: Job, status: JobStatus, attention_counts: Mapping[int, int | None]) -> MonitorStatus:
    try:
        url, wrong = monitors.render_url(job.monitor_url, monitors.template_values(job)), ""
    except MonitorError as error:  # the template may have become invalid after it was saved
        url, wrong = "", str(error)
    return MonitorStatus(status, attention_counts.get(job.pk), url, wrong)


def fetch_attention_counts(job_ids: Sequence[int]) -> dict[int, int | None]:
    """By job id: the number that the latest ended run reported. For a run on every host: the sum over the hosts."""
    ended = Run.objects.filter(
        job=OuterRef("pk"), slot="", status__in=[*SUPERVISOR_REPORTED_STATUSES, Status.LOST]
    ).order_by("-token")
    latest = Job.objects.filter(pk__in=job_ids).order_by("pk").values_list(Subquery(ended.values("pk")[:1]), flat=True)
    runs = Run.objects.filter(pk__in=[run_id for run_id in latest if run_id]).order_by("pk")
    counted = runs.annotate(records=Coalesce("attention_count", Sum("children__attention_count")))
    return dict(counted.values_list("job", "records"))
