"""The report of an import: each job in the other scheduler and here, as text or as plain values."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from chroniker import schedule
from chroniker.exceptions import ScheduleError
from chroniker.importing.candidate import ImportCandidate, ImportOutcome

MAX_INSTANTS_SHOWN = 10
NO_INSTANT = "-"


def report_lines(candidates: Sequence[ImportCandidate], now: dt.datetime) -> Iterator[str]:
    """A table for each job, then the number of jobs of each outcome."""
    for candidate in candidates:
        yield from _candidate_lines(candidate, now)
        yield ""
    counted = Counter(candidate.outcome for candidate in candidates)
    yield ", ".join(f"{number} {outcome.value}" for outcome, number in counted.items()) or _(
        "There are no jobs to import."
    )


def report_records(candidates: Sequence[ImportCandidate], now: dt.datetime) -> list[dict[str, Any]]:
    """The same as plain values, for ``--json``."""
    return [
        {
            "name": candidate.job.name,
            "outcome": candidate.outcome.value,
            "reason": candidate.refusal,
            "schedule_there": candidate.schedule_there,
            "schedule_here": schedule.describe_schedule(candidate.job.spec),
            "instants_there": [moment.isoformat() for moment in candidate.instants_there],
            "instants_here": [moment.isoformat() for moment in _next_instants_after_import(candidate, now)],
            "differences": candidate.differences,
        }
        for candidate in candidates
    ]


def _candidate_lines(candidate: ImportCandidate, now: dt.datetime) -> Iterator[str]:
    outcome = candidate.outcome.value + (f": {candidate.refusal}" if candidate.refusal else "")
    yield f"“{candidate.job.name}”  ({outcome})"
    yield f"  there: {candidate.schedule_there}"
    if candidate.outcome is not ImportOutcome.REFUSED:
        disabled = "" if candidate.job.enabled else ", " + _("disabled")
        yield f"  here:  {schedule.describe_schedule(candidate.job.spec)}{disabled}"
        yield from _instant_lines(candidate, now)
        for sentence in candidate.differences:
            yield f"  - {sentence}"


def _instant_lines(candidate: ImportCandidate, now: dt.datetime) -> Iterator[str]:
    if not candidate.instants_there and not candidate.job.enabled:  # it runs neither there nor here
        return
    there, here = (
        map(_time_text, candidate.instants_there),
        map(_time_text, _next_instants_after_import(candidate, now)),
    )
    for number, (left, right) in enumerate(zip_longest(there, here, fillvalue=NO_INSTANT), start=1):
        mark = "" if left == right else "  " + _("differs")
        yield f"  {number:>4}  {left:<25}  {right:<25}{mark}".rstrip()


def _next_instants_after_import(candidate: ImportCandidate, now: dt.datetime) -> list[dt.datetime]:
    try:
        return schedule.next_instants(candidate.job.spec, now, MAX_INSTANTS_SHOWN)
    except ScheduleError:
        return []


def _time_text(moment: dt.datetime) -> str:
    return timezone.localtime(moment).replace(microsecond=0).isoformat(" ")
