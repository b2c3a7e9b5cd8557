"""Backfills at the request of a person or a program: a preview, the request itself, and its cancellation."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import backfill_instants
from chroniker.eligibility.backfill_instants import (
    MAX_INSTANTS_PER_PASS,
    MICROSECOND,
    InstantWindow,
    InstantWithResult,
    does_instant_need_run,
)
from chroniker.exceptions import BackfillRefused, ClaimRefused, ScheduleError
from chroniker.models import OPEN_STATUSES, Backfill, BackfillFailurePolicy, InstantSelection, Job, JobState, Run
from chroniker.models.backfill import schedule_to_json
from chroniker.schedule import Frequency
from chroniker.scheduler import manual_runs, stopping

#: The most instants of one backfill. Instants that get no run are counted too.
MAX_BACKFILL_INSTANTS = 10_000
#: An earlier year is taken for a typing error. Times in the year 1 cannot be converted to all time zones.
EARLIEST_BACKFILL_YEAR = 1970


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """The request for a backfill. Both ends of the range are included; both have a time zone."""

    job: Job
    first: dt.datetime
    last: dt.datetime
    which: str = InstantSelection.NOT_SUCCEEDED
    include_unknown: bool = False
    on_failure: str = BackfillFailurePolicy.GO_ON
    args: str | None = None
    note: str = ""

    def includes_instant(self, each: InstantWithResult) -> bool:
        return does_instant_need_run(self.which, each.result, include_unknown=self.include_unknown)


@dataclass(frozen=True, slots=True)
class BackfillPreview:
    """Each instant of the range with its result in the stored runs, and the number of instants that get a run."""

    instants_with_results: list[InstantWithResult]
    planned: int
    usual_seconds: float | None  #: of one run

    @property
    def expected_total_seconds(self) -> float | None:
        """The expected time of all runs, without the waits between them."""
        return None if self.usual_seconds is None else self.planned * self.usual_seconds


def preview_backfill(requested: BackfillRequest) -> BackfillPreview:
    """Return what the backfill would run now. Raises ``BackfillRefused`` with the reason if it cannot be created."""
    state = _book_job_and_read_state(requested.job)
    _refuse_wrong_choices(requested)
    results = _match_instants_with_results(requested.job, _find_instants_in_range(requested, state))
    planned = sum(requested.includes_instant(each) for each in results)
    most = requested.job.maximum_log_entries
    if 0 < most < planned:
        raise BackfillRefused(
            _(
                "The backfill needs %(planned)d runs, but the number of runs that the job keeps (“runs kept”) is "
                "%(most)d."
            )
            % {"planned": planned, "most": most}
        )
    return BackfillPreview(results, planned, state.p50)


def request_backfill(requested: BackfillRequest, requested_by: str) -> Backfill:
    """Create the backfill; ticks claim its runs. Raises ``BackfillRefused`` like ``preview_backfill``, and if the job
    has an open backfill."""
    expected = preview_backfill(requested)
    if not expected.planned:
        raise BackfillRefused(
            _("Nothing to run: no scheduled time of the range needs a run. %(hint)s")
            % _hint_about_unrecorded_instants(requested)
        )
    return lifecycle.add_backfill(
        Backfill(
            job=requested.job,
            first=requested.first,
            last=requested.last,
            which=requested.which,
            include_unknown=requested.include_unknown,
            on_failure=requested.on_failure,
            args=requested.args,
            note=requested.note[:500],
            spec=schedule_to_json(requested.job.spec),
            planned=expected.planned,
            asked_by=requested_by[:150],
        )
    )


def cancel_backfill(backfill_id: UUID | str, cancelled_by: str, *, stop_run: bool = False) -> bool:
    """Claim no further run of this backfill; returns whether it was open. ``stop_run``: stop its open run too."""
    pk = UUID(str(backfill_id))
    was_open = lifecycle.cancel_backfill(pk, cancelled_by)
    if stop_run:
        job_ids = Backfill.objects.filter(pk=pk).values("job")
        for run_id in Run.objects.filter(job__in=job_ids, backfill=pk, status__in=OPEN_STATUSES).values_list(
            "pk", flat=True
        ):
            stopping.stop_run(run_id, cancelled_by)  # at most one is open
    return was_open


def _book_job_and_read_state(job: Job) -> JobState:
    if job.frequency in (Frequency.ONCE, Frequency.MANUAL):
        raise BackfillRefused(_("The job has no repeating schedule: run it by hand for its scheduled time instead."))
    if not Job.objects.filter(pk=job.pk, edited_at=None, state__isnull=False).exists():
        lifecycle.book_next_instants([job.pk], database_now())
        job.refresh_from_db()
    return JobState.objects.get(pk=job.pk)


def _refuse_wrong_choices(requested: BackfillRequest) -> None:
    if requested.which not in InstantSelection.values or requested.on_failure not in BackfillFailurePolicy.values:
        raise BackfillRefused(
            _("“%(name)s” is not a known choice.") % {"name": f"{requested.which}, {requested.on_failure}"}
        )
    if requested.args is not None:
        try:
            manual_runs.check_arguments(requested.job, requested.args)
        except ClaimRefused as refusal:
            raise BackfillRefused(str(refusal)) from refusal


def _find_instants_in_range(requested: BackfillRequest, state: JobState) -> list[dt.datetime]:
    """Return the instants of the range outside blackouts. Refuses a range that the schedule has not yet covered."""
    for moment in (requested.first, requested.last):
        if moment.utcoffset() is None:
            raise ValueError(f"{moment} has no time zone")
    if requested.first > requested.last:
        raise BackfillRefused(_("The range ends before it begins."))
    if requested.first.year < EARLIEST_BACKFILL_YEAR:
        raise BackfillRefused(_("The range begins before the year %(year)d.") % {"year": EARLIEST_BACKFILL_YEAR})
    if requested.last > database_now():
        raise BackfillRefused(_("The range ends in the future; a backfill is for the past."))
    try:
        found, until, is_all = backfill_instants.compute_instants_outside_blackouts(
            requested.job.spec,
            requested.job.closed_times,
            requested.first - MICROSECOND,
            requested.last,
            MAX_BACKFILL_INSTANTS,
        )
    except ScheduleError as error:
        raise BackfillRefused(_("Schedule error: %(error)s") % {"error": error}) from error
    if not is_all:
        text = _("The range has more than %(most)d scheduled times; make it shorter.")
        raise BackfillRefused(text % {"most": MAX_BACKFILL_INSTANTS})
    if not found:
        raise BackfillRefused(_("The range has no scheduled time outside blackouts."))
    if state.covered_until is None or until > state.covered_until:
        words = {"time": f"{timezone.localtime(until):%Y-%m-%d %H:%M:%S}"}
        raise BackfillRefused(
            _(
                "The scheduler has not processed the scheduled time %(time)s yet; end the range before it, or try "
                "again later."
            )
            % words
        )
    return found


def _match_instants_with_results(job: Job, instants: list[dt.datetime]) -> list[InstantWithResult]:
    """Needs one statement for each ``MAX_INSTANTS_PER_PASS`` instants, or for fewer if one statement decides fewer."""
    decided: list[InstantWithResult] = []
    while len(decided) < len(instants):
        window = InstantWindow(job.pk, instants[len(decided) : len(decided) + MAX_INSTANTS_PER_PASS])
        given = backfill_instants.read_instant_results([window])[job.pk]
        decided += [InstantWithResult(*each) for each in zip(window.instants, given, strict=False)]
    return decided


def _hint_about_unrecorded_instants(requested: BackfillRequest) -> dict[str, str]:
    if requested.include_unknown or requested.which == InstantSelection.ALL:
        return {"hint": ""}
    return {"hint": _("Scheduled times without a record are left out unless you include them.")}
