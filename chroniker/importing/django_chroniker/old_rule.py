"""Schedules of django-chroniker: how it parsed them, when it would have run, and their parameters here."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from dateutil import rrule
from django.utils.translation import gettext as _

SECONDS_PER_UNIT = {"HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}
WEEKDAYS = {"MO": 0, "TU": 1, "WE": 2, "TH": 3, "FR": 4, "SA": 5, "SU": 6}
#: Parameters of dateutil without a meaning in a schedule that restarts from each run.
IGNORED_PARAMETERS = ("cache", "count")


@dataclass(slots=True)
class OldRule:
    """A frequency with its parameters, parsed as django-chroniker did."""

    frequency: str
    params: dict[str, list[str]] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, frequency: str, text: str | None) -> OldRule:
        """Parts that are not ``name:values`` were ignored. Of a repeated name the last one was used."""
        rule = cls(frequency)
        for part in (text or "").split(";"):
            name, *values = part.split(":")
            if len(values) == 1:
                rule.params[name.strip()] = [value.strip() for value in values[0].split(",")]
            elif part.strip():
                rule.ignored.append(part.strip())
        return rule

    @property
    def text(self) -> str:
        """The parameters in the syntax of this project."""
        kept = {name: values for name, values in self.params.items() if name not in IGNORED_PARAMETERS}
        return ";".join(f"{name}:{','.join(values)}" for name, values in kept.items())

    @property
    def is_next_run_last(self) -> bool:
        """Whether its next run is the last: ``count:1``. A larger count restarted with each run, and had no effect."""
        return self.params.get("count") == ["1"]

    def notes(self) -> list[str]:
        notes = [
            _("“%(part)s” in its parameters was ignored there and is not imported.") % {"part": part}
            for part in self.ignored
        ]
        if "count" in self.params and not self.is_next_run_last:
            notes.append(_("Its “count” restarted with each run there and had no effect; it is not imported."))
        if "cache" in self.params:
            notes.append(_("The parameter “cache” has no meaning here; it is not imported."))
        return notes

    def instants(self, next_run: dt.datetime, now: dt.datetime, limit: int, zone: dt.tzinfo) -> list[dt.datetime]:
        """The next ``limit`` runs in django-chroniker, in UTC, if each run started on time and took no time.

        The schedule restarted from each run, in ``zone``: UTC in a project with USE_TZ, otherwise local time.
        """
        moment, after = (each.astimezone(zone).replace(tzinfo=None) for each in (next_run, now))
        found = [moment] if moment > after else []
        if not found and (step := self._fixed_interval()):  # dateutil would take minutes for a job that is long overdue
            moment += (after - moment) // step * step
        while len(found) < limit:
            following = self._rrule_from(moment).after(max(moment, after))
            if following is None:
                break
            found.append(moment := following)
        return [each.replace(tzinfo=zone).astimezone(dt.UTC) for each in found]

    def _fixed_interval(self) -> dt.timedelta | None:
        seconds = SECONDS_PER_UNIT.get(self.frequency)
        return dt.timedelta(seconds=seconds * int(self.params.get("interval", ["1"])[0])) if seconds else None

    def _rrule_from(self, start: dt.datetime) -> rrule.rrule:
        numbers = {name: [WEEKDAYS[v] if v in WEEKDAYS else int(v) for v in vs] for name, vs in self.params.items()}
        values: dict[str, object] = {name: each[0] if len(each) == 1 else each for name, each in numbers.items()}
        return rrule.rrule(getattr(rrule, self.frequency), dtstart=start, **values)  # type: ignore[arg-type]
