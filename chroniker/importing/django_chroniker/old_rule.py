"""The ancestor's schedules: how it read them, when it would have run, and what they are called here."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from dateutil import rrule
from django.utils.translation import gettext as _

UNITS = {"HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}
WEEKDAYS = {"MO": 0, "TU": 1, "WE": 2, "TH": 3, "FR": 4, "SA": 5, "SU": 6}
#: Of those that dateutil takes, these have no meaning in a schedule that is counted anew from each run.
MEANINGLESS = ("cache", "count")


@dataclass(slots=True)
class OldRule:
    """A frequency with its parameters, as the ancestor took them apart."""

    frequency: str
    params: dict[str, list[str]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, frequency: str, text: str | None) -> OldRule:
        """What is no ``name:values`` was passed over there without a word; of a name given twice the last one held."""
        rule = cls(frequency)
        for part in (text or "").split(";"):
            name, *values = part.split(":")
            if len(values) == 1:
                rule.params[name.strip()] = [value.strip() for value in values[0].split(",")]
            elif part.strip():
                rule.left_out.append(part.strip())
        return rule

    @property
    def text(self) -> str:
        """The parameters as they are written here."""
        kept = {name: values for name, values in self.params.items() if name not in MEANINGLESS}
        return ";".join(f"{name}:{','.join(values)}" for name, values in kept.items())

    @property
    def is_last(self) -> bool:
        """``count:1`` ended the job with its next run. A larger count began anew with each run, and ended nothing."""
        return self.params.get("count") == ["1"]

    def remarks(self) -> list[str]:
        said = [
            _("“%(part)s” in its parameters was passed over there, and is left out here.") % {"part": part}
            for part in self.left_out
        ]
        if "count" in self.params and not self.is_last:
            said.append(_("Its “count” began anew with each run there and ended nothing; it is left out."))
        if "cache" in self.params:
            said.append(_("The parameter “cache” has no meaning here; it is left out."))
        return said

    def instants(self, next_run: dt.datetime, now: dt.datetime, n: int, zone: dt.tzinfo) -> list[dt.datetime]:
        """When the ancestor would run from now on, in UTC, if each run began at once and took no time.

        It counted anew from each run, in ``zone``: UTC in a project with USE_TZ, local time in one without.
        """
        moment, after = (each.astimezone(zone).replace(tzinfo=None) for each in (next_run, now))
        found = [moment] if moment > after else []
        if not found and (step := self._step()):  # a job long overdue would take dateutil minutes
            moment += (after - moment) // step * step
        while len(found) < n:
            following = self._rrule(moment).after(max(moment, after))
            if following is None:
                break
            found.append(moment := following)
        return [each.replace(tzinfo=zone).astimezone(dt.UTC) for each in found]

    def _step(self) -> dt.timedelta | None:
        seconds = UNITS.get(self.frequency)
        return dt.timedelta(seconds=seconds * int(self.params.get("interval", ["1"])[0])) if seconds else None

    def _rrule(self, start: dt.datetime) -> rrule.rrule:
        numbers = {name: [WEEKDAYS[v] if v in WEEKDAYS else int(v) for v in vs] for name, vs in self.params.items()}
        values: dict[str, object] = {name: each[0] if len(each) == 1 else each for name, each in numbers.items()}
        return rrule.rrule(getattr(rrule, self.frequency), dtstart=start, **values)  # type: ignore[arg-type]
