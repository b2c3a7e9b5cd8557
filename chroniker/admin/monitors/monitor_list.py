"""The columns of the list of monitors: the status of the job, and the number that its latest run reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from chroniker import monitors
from chroniker.admin.shared.cells import NOTHING, Cell
from chroniker.admin.shared.job_cells import Overview, overviews
from chroniker.exceptions import MonitorError
from chroniker.models import REPORTED, Job, Run, Status


@dataclass(frozen=True, slots=True)
class MonitorStatus:
    """One monitor. ``found``: records that need attention; ``None`` if the latest run reported no number."""

    overview: Overview
    found: int | None
    url: str = ""
    wrong_url: str = ""

    def cells(self) -> dict[str, Cell]:
        cells = self.overview.cells()
        shown = {name: cells[name] for name in ("state", "progress", "doubt", "last_result")}
        return {**shown, "attention": self._attention()}

    def _attention(self) -> Cell:
        if self.found is None:
            ran = self.overview.last_status is not None
            return Cell(NOTHING, note=_("The latest run reported no count.") if ran else "")
        return Cell(str(self.found), "failed" if self.found else "succeeded", url=self.url)


def monitor_statuses(jobs: Sequence[Job]) -> dict[int, MonitorStatus]:
    """By job id. A constant number of statements."""
    facts, counts = overviews(jobs), found([job.pk for job in jobs])
    return {job.pk: _status(job, facts[job.pk], counts) for job in jobs}


def _status(job: Job, overview: Overview, counts: Mapping[int, int | None]) -> MonitorStatus:
    try:
        url, wrong = monitors.render_url(job.monitor_url, monitors.template_values(job)), ""
    except MonitorError as error:  # the template may have become invalid after it was saved
        url, wrong = "", str(error)
    return MonitorStatus(overview, counts.get(job.pk), url, wrong)


def found(job_ids: Sequence[int]) -> dict[int, int | None]:
    """The number that the latest ended run of each job reported; for a run on every host, the sum of its hosts."""
    ended = Run.objects.filter(job=OuterRef("pk"), slot="", status__in=[*REPORTED, Status.LOST]).order_by("-token")
    latest = Job.objects.filter(pk__in=job_ids).order_by("pk").values_list(Subquery(ended.values("pk")[:1]), flat=True)
    runs = Run.objects.filter(pk__in=[run_id for run_id in latest if run_id]).order_by("pk")
    counted = runs.annotate(records=Coalesce("attention_count", Sum("children__attention_count")))
    return dict(counted.values_list("job", "records"))
