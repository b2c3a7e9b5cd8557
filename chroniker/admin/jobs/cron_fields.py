"""The fields of a cron expression with their values, for the job's form."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.utils.translation import gettext as _

from chroniker.schedule import Frequency, ScheduleSpec
from chroniker.schedule.cron_parser import CRON_FIELDS, expand_part, parse_fields

#: The largest number of values that are written. “…” replaces the others.
MAX_VALUES_SHOWN = 3
#: ``fri#2``, ``L``, ``L5``, ``15W``: the values alone would say less than that.
RELATIVE_DAY_PATTERN = re.compile(r"#|\bl|\dw")


@dataclass(frozen=True, slots=True)
class CronField:
    """For example “*/10” and “minute: 0, 10, 20 …”."""

    text: str
    meaning: str


def cron_fields(spec: ScheduleSpec) -> list[CronField]:
    """The five fields of a valid cron schedule, or six if it has seconds. Empty for other schedules."""
    if spec.frequency != Frequency.CRON:
        return []
    texts = parse_fields(spec.cron)
    return [
        CronField(text, f"{CRON_FIELDS[position].name}: {_values_in_words(position, text)}")
        for position, text in enumerate(texts)
        if position or text != "0"
    ]


def _values_in_words(position: int, text: str) -> str:
    if text in ("*", "?"):
        return _("each")
    if RELATIVE_DAY_PATTERN.search(text):
        return text
    values = [str(value) for value in expand_part(position, text)]
    if values == ["*"]:
        return _("each")
    shown = ", ".join(values[:MAX_VALUES_SHOWN])
    return f"{shown} …" if len(values) > MAX_VALUES_SHOWN else shown
