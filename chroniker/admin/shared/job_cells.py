"""The cells of a job: its state, next run, progress, last result and reason."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from chroniker.admin.shared.cells import NOTHING, Cell, distance, moment, progress
from chroniker.admin.shared.run_progress import RunProgress
from chroniker.admin.shared.site_links import admin_url
from chroniker.insights.job_status import Condition, JobStatus, fetch_job_status
from chroniker.models import Job

#: The badge of a condition. Other conditions have a badge of their own name.
KINDS = {
    Condition.STOPPING: "waiting",
    Condition.SCHEDULE_ERROR: "failed",
    Condition.RETRYING: "waiting",
    Condition.DUE: "waiting",
    Condition.NEW: "idle",
    Condition.OVER: "idle",
}


class Overview(JobStatus):
    __slots__ = ()

    def cells(self) -> dict[str, Cell]:
        """By the name of the column."""
        condition = self.condition
        return {
            "state": Cell(str(condition.label), KINDS.get(condition, condition.value), self._switched_off()),
            "next_run": self._next_run(),
            "progress": self._progress(),
            "last_result": self._last_result(),
            "why": Cell(self.why),
            "doubt": Cell("" if self.is_self_explanatory else self.why),
        }

    def _switched_off(self) -> str:
        """A note for a disabled job with an open run, because its condition is that of the run."""
        if self.job.deletion_requested_at is not None:
            return _("will be deleted when its run ends")
        return "" if self.job.enabled or not self.is_open else str(Condition.DISABLED.label)

    def _next_run(self) -> Cell:
        if self.next_run is None:
            return Cell(NOTHING)
        return Cell(moment(self.next_run), note=distance(self.next_run, self.now))

    def _progress(self) -> Cell:
        if self.lease is None:
            return progress(None, None)
        return RunProgress(self.lease.run, self.lease, self.now, self.expected).cell()

    def _last_result(self) -> Cell:
        status = self.last_status
        if status is None or self.state.last_finished_at is None:
            return Cell(NOTHING)
        runs = admin_url("chroniker_run_changelist")
        url = runs and f"{runs}?job={self.job.pk}"
        return Cell(str(status.label), status.lower(), distance(self.state.last_finished_at, self.now), url=url)


def overviews(jobs: Sequence[Job]) -> dict[int, Overview]:
    """By job id. A constant number of statements."""
    return fetch_job_status(jobs, Overview)
