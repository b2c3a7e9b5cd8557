"""The table of guarantees: the result of each guarantee, what is counted for it, and the counts."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from chroniker.insights.guarantees import GuaranteeMeasurement, LateMessageSummary
from chroniker.models import Guarantee
from chroniker.wording.formats import NO_VALUE_TEXT, format_count

GUARANTEE_TEXTS: dict[str, tuple[Any, Any]] = {
    Guarantee.ONE_INSTANCE: (Guarantee.ONE_INSTANCE.label, gettext_lazy("Runs of one job at the same time")),
    Guarantee.ONE_RECORD: (Guarantee.ONE_RECORD.label, gettext_lazy("Scheduled times with two records")),
    Guarantee.CLAIMS_END: (Guarantee.CLAIMS_END.label, gettext_lazy("Claims that were not closed in time")),
    "late_reports": (gettext_lazy("A late report changes nothing"), gettext_lazy("Reports without a lease, refused")),
    "output": (gettext_lazy("No output is lost without a mark"), gettext_lazy("Runs with missing output, marked")),
    "deliveries": (
        gettext_lazy("A message can only start a claimed run"),
        gettext_lazy("Deliveries that were refused"),
    ),
    "messages": (
        gettext_lazy("The end of every run is reported"),
        gettext_lazy("Messages not sent within 10 min after the end of a run"),
    ),
    Guarantee.GROUP_LIMIT: (
        Guarantee.GROUP_LIMIT.label,
        gettext_lazy("Groups above their limit, also where the limit was lowered"),
    ),
    "tick": (
        gettext_lazy("The cost of a tick depends only on what is due"),
        gettext_lazy("Not measured here; chroniker's own tests check it"),
    ),
    "dependencies": (
        gettext_lazy("Dependencies are respected"),
        gettext_lazy("Not measured here; each claim checks it"),
    ),
}
#: For these guarantees, each counted event shows that the guarantee held. Such an event is no violation.
GUARANTEES_CONFIRMED_BY_EVENTS = ("late_reports", "output", "deliveries")
UNMEASURED_GUARANTEES = ("tick", "dependencies")
EMPTY_MEASUREMENT = GuaranteeMeasurement((None, None, None), is_fresh=False)


@dataclass(frozen=True, slots=True)
class GuaranteeRow:
    """``result``: held, events, unknown, warning or broken."""

    key: str
    name: Any
    counted: Any
    result: str
    result_text: str
    measured: GuaranteeMeasurement

    @property
    def counts(self) -> list[tuple[str, str]]:
        spans = (_("24 h"), _("7 days"), _("30 days"))
        return [
            (span, NO_VALUE_TEXT if n is None else format_count(n))
            for span, n in zip(spans, self.measured.counts, strict=True)
        ]

    @property
    def code(self) -> str:
        """The code of its state, for the badge."""
        if self.key in UNMEASURED_GUARANTEES:
            return "no_record"
        return "warning" if self.result == "events" else self.result


def make_guarantee_rows(
    measured: dict[str, GuaranteeMeasurement], late_messages: LateMessageSummary
) -> list[GuaranteeRow]:
    return [_make_guarantee_row(key, measured.get(key, EMPTY_MEASUREMENT), late_messages) for key in GUARANTEE_TEXTS]


def _make_guarantee_row(key: str, measured: GuaranteeMeasurement, late_messages: LateMessageSummary) -> GuaranteeRow:
    name, counted = GUARANTEE_TEXTS[key]
    result, result_text = _result_and_label(key, measured, late_messages)
    return GuaranteeRow(key, name, counted, result, str(result_text), measured)


def _result_and_label(key: str, measured: GuaranteeMeasurement, late_messages: LateMessageSummary) -> tuple[str, Any]:
    """The result and its text. A guarantee held if it was measured and all its counts are zero."""
    if key == "messages" and late_messages.count:
        return "broken", ngettext("Late: %(n)s message", "Late: %(n)s messages", late_messages.count) % {
            "n": format_count(late_messages.count)
        }
    if key in GUARANTEES_CONFIRMED_BY_EVENTS:
        return ("events", _("Held, see events")) if measured.highest_count else ("held", _("Held"))
    if measured.highest_count:
        return ("warning", _("Above the limit")) if key == Guarantee.GROUP_LIMIT else ("broken", _("Broken"))
    if not measured.is_fresh or all(number is None for number in measured.counts):
        return "unknown", _("Unknown")
    return "held", _("Held")


def guarantee_sentence_context(rows: list[GuaranteeRow], now: dt.datetime) -> dict[str, Any]:
    """The guarantees that are broken or unknown, without those that are never measured."""
    regular = [row for row in rows if row.key not in (*UNMEASURED_GUARANTEES, "messages")]
    since = min((row.measured.since for row in regular if row.measured.since), default=None)
    return {
        "broken": [row for row in regular if row.result == "broken"],
        "unknown": [row for row in regular if row.result == "unknown"],
        "since": since if since and since > now - dt.timedelta(days=29) else None,
    }
