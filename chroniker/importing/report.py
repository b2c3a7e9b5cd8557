"""What an import did, for people and for programs: each job as it was there and as it is here."""

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
from chroniker.importing.candidate import Candidate, Outcome

INSTANTS = 10
NONE = "-"


def lines(candidates: Sequence[Candidate], now: dt.datetime) -> Iterator[str]:
    """A table for each job, then how many there were of each outcome."""
    for candidate in candidates:
        yield from _table(candidate, now)
        yield ""
    counted = Counter(candidate.outcome for candidate in candidates)
    yield ", ".join(f"{number} {outcome.value}" for outcome, number in counted.items()) or _("There are no jobs there.")


def records(candidates: Sequence[Candidate], now: dt.datetime) -> list[dict[str, Any]]:
    """The same as plain values."""
    return [
        {
            "name": candidate.job.name,
            "outcome": candidate.outcome.value,
            "reason": candidate.refusal,
            "schedule_there": candidate.there,
            "schedule_here": schedule.describe(candidate.job.spec),
            "instants_there": [moment.isoformat() for moment in candidate.instants],
            "instants_here": [moment.isoformat() for moment in _here(candidate, now)],
            "no_equivalent": candidate.unlike,
        }
        for candidate in candidates
    ]


def _table(candidate: Candidate, now: dt.datetime) -> Iterator[str]:
    outcome = candidate.outcome.value + (f": {candidate.refusal}" if candidate.refusal else "")
    yield f"“{candidate.job.name}”  ({outcome})"
    if candidate.outcome is Outcome.REFUSED:
        yield f"  there: {candidate.there}"
        return
    yield f"  there: {candidate.there}"
    switched_off = "" if candidate.job.enabled else ", " + _("switched off")
    yield f"  here:  {schedule.describe(candidate.job.spec)}{switched_off}"
    rows = list(zip_longest(map(_shown, candidate.instants), map(_shown, _here(candidate, now)), fillvalue=NONE))
    if not candidate.instants and not candidate.job.enabled:  # it runs neither there nor here
        rows = []
    for number, (there, here) in enumerate(rows, start=1):
        verdict = "" if there == here else "  " + _("differs")
        yield f"  {number:>4}  {there:<25}  {here:<25}{verdict}".rstrip()
    for sentence in candidate.unlike:
        yield f"  - {sentence}"


def _here(candidate: Candidate, now: dt.datetime) -> list[dt.datetime]:
    try:
        return schedule.preview(candidate.job.spec, now, INSTANTS)
    except ScheduleError:
        return []


def _shown(moment: dt.datetime) -> str:
    return timezone.localtime(moment).replace(microsecond=0).isoformat(" ")
