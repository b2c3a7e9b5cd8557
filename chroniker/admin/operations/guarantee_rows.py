"""The table of guarantees: for each its result, what is counted, and the counts."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from chroniker.insights.guarantees import LateMessages, Measurement
from chroniker.models import Guarantee
from chroniker.wording.formats import NOTHING, format_count

NAMES: dict[str, tuple[Any, Any]] = {
    Guarantee.ONE_INSTANCE: (Guarantee.ONE_INSTANCE.label, gettext_lazy("Runs of one job at the same time")),
    Guarantee.ONE_RECORD: (Guarantee.ONE_RECORD.label, gettext_lazy("Scheduled times with two records")),
    Guarantee.CLAIMS_END: (Guarantee.CLAIMS_END.label, gettext_lazy("Claims that were not closed in time")),
    "late_reports": (gettext_lazy("A late report changes nothing"), gettext_lazy("Reports without a lease, refused")),
    "output": (gettext_lazy("No output is lost without a mark"), gettext_lazy("Runs with missing output, marked")),
    "deliveries": (gettext_lazy("A message starts nothing by itself"), gettext_lazy("Deliveries that were refused")),
    "messages": (gettext_lazy("Every end is reported"), gettext_lazy("Messages not sent 10 min after the end")),
    Guarantee.GROUP_LIMIT: (
        Guarantee.GROUP_LIMIT.label,
        gettext_lazy("Groups above their limit, also where the limit was lowered"),
    ),
    "tick": (
        gettext_lazy("A tick costs what is due"),
        gettext_lazy("Not measured here: tests check it"),
    ),
    "dependencies": (gettext_lazy("Dependencies hold"), gettext_lazy("Not measured here; each claim checks it")),
}
#: A count of these is no violation: the guarantee held, and says so by an event.
REFUSALS = ("late_reports", "output", "deliveries")
NEVER_MEASURED = ("tick", "dependencies")
NOT_MEASURED = Measurement((None, None, None), is_fresh=False)


@dataclass(frozen=True, slots=True)
class Row:
    """``result``: held, events, unknown, warning or broken."""

    key: str
    name: Any
    counted: Any
    result: str
    word: str
    measured: Measurement

    @property
    def counts(self) -> list[tuple[str, str]]:
        spans = (_("24 h"), _("7 days"), _("30 days"))
        return [
            (span, NOTHING if n is None else format_count(n))
            for span, n in zip(spans, self.measured.counts, strict=True)
        ]

    @property
    def code(self) -> str:
        """The code of its state, for the badge."""
        if self.key in NEVER_MEASURED:
            return "no_record"
        return "warning" if self.result == "events" else self.result


def rows(found: dict[str, Measurement], late: LateMessages) -> list[Row]:
    return [_row(key, found.get(key, NOT_MEASURED), late) for key in NAMES]


def _row(key: str, measured: Measurement, late: LateMessages) -> Row:
    name, counted = NAMES[key]
    result, word = _result(key, measured, late)
    return Row(key, name, counted, result, str(word), measured)


def _result(key: str, measured: Measurement, late: LateMessages) -> tuple[str, Any]:
    """Held means: measured, and zero."""
    if key == "messages" and late.count:
        return "broken", ngettext("Late: %(n)s message", "Late: %(n)s messages", late.count) % {
            "n": format_count(late.count)
        }
    if key in REFUSALS:
        return ("events", _("Held, see events")) if measured.highest_count else ("held", _("Held"))
    if measured.highest_count:
        return ("warning", _("Above the limit")) if key == Guarantee.GROUP_LIMIT else ("broken", _("Broken"))
    if not measured.is_fresh or all(number is None for number in measured.counts):
        return "unknown", _("Unknown")
    return "held", _("Held")


def sentence(found: list[Row], now: dt.datetime) -> dict[str, Any]:
    """Which guarantees did not hold or are not known; those that are never measured are left out."""
    regular = [row for row in found if row.key not in (*NEVER_MEASURED, "messages")]
    since = min((row.measured.since for row in regular if row.measured.since), default=None)
    return {
        "broken": [row for row in regular if row.result == "broken"],
        "unknown": [row for row in regular if row.result == "unknown"],
        "since": since if since and since > now - dt.timedelta(days=29) else None,
    }
