"""The page Reliability: the guarantees with their measurements, events, start delays, and failures."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chroniker.admin.operations import guarantee_rows
from chroniker.admin.operations.reliability_pictures import draw_delay_bars, draw_failure_bars
from chroniker.admin.shared.console_page import render_console_page
from chroniker.admin.shared.site_links import admin_url, job_url
from chroniker.clock.database_clock import database_now
from chroniker.insights import guarantees
from chroniker.models import START_DELAY_BOUNDS, EventKind, RunEvent
from chroniker.outbox.failing_channels import MAX_ATTEMPTS
from chroniker.wording.formats import short_duration

#: The text that explains an event of this kind, if the event itself has no description.
EVENT_MEANINGS: dict[EventKind, Any] = {
    EventKind.REFUSED_DELIVERY: gettext_lazy(
        "A duplicate or forged message for a run was refused. It started nothing."
    ),
    EventKind.LATE_REPORT: gettext_lazy("A worker stopped the command of a run whose lease had expired."),
    EventKind.LATE_OUTCOME: gettext_lazy("A worker reported the end of a run that was already closed."),
    EventKind.LOST: gettext_lazy(
        "A run was closed because contact with its worker was lost, or because no worker started it."
    ),
    EventKind.OVERLAP: gettext_lazy(
        "The run was open at the same time as an earlier run of its job. Did the database's clock jump, or was "
        "the database restored or failed over? If not, report this as a bug."
    ),
}
FRAGMENT_TEMPLATES = {
    "ops-sentence": "chroniker/console/reliability/sentence.html",
    "reliability-guarantees": "chroniker/console/reliability/guarantees.html",
    "reliability-events": "chroniker/console/reliability/events.html",
    "reliability-delays": "chroniker/console/reliability/delays.html",
    "reliability-failures": "chroniker/console/reliability/failures.html",
    "reliability-messages": "chroniker/console/reliability/messages.html",
}


def reliability_view(run_admin: Any, request: HttpRequest) -> HttpResponse:
    if not run_admin.has_view_permission(request):
        raise PermissionDenied
    context = {"title": _("Reliability"), **reliability_context(database_now())}
    template = "chroniker/console/reliability/page.html"
    return render_console_page(run_admin.admin_site, request, template, "reliability", context, FRAGMENT_TEMPLATES)


def reliability_context(now: dt.datetime) -> dict[str, Any]:
    """The values for the templates. Six statements."""
    events = guarantees.fetch_event_measurements(now)
    late, messages = guarantees.fetch_late_messages(now)
    tested = {str(each.value): measured for each, measured in guarantees.fetch_guarantee_test_results(now).items()}
    found = guarantee_rows.make_guarantee_rows({**tested, **events, "messages": messages}, late)
    delays, days = guarantees.fetch_start_delays_and_day_counts(now)
    return {
        "now": now,
        "rows": found,
        "held": guarantee_rows.guarantee_sentence_context(found, now),
        "late": late,
        "most_attempts": MAX_ATTEMPTS,
        "messages_url": admin_url("chroniker_outbox_changelist"),
        "events": [_run_event_row(event) for event in guarantees.fetch_latest_events(now)],
        "delay_bars": draw_delay_bars(delays),
        "delays": delays,
        "percentiles": [(f"p{share}", _start_delay_text(delays.percentile(share / 100))) for share in (50, 95, 99)],
        "slowest": [(name, job_url(pk)) for pk, name in guarantees.find_jobs_with_most_late_starts(now)],
        "failures": draw_failure_bars(days),
    }


def _start_delay_text(seconds: float | None) -> str:
    if seconds is not None and math.isinf(seconds):
        return _("over %(time)s") % {"time": short_duration(START_DELAY_BOUNDS[-1])}
    return short_duration(seconds)


def _run_event_row(run_event: RunEvent) -> dict[str, Any]:
    return {
        "at": run_event.at,
        "kind": EventKind(run_event.kind).label,
        "text": run_event.description or EVENT_MEANINGS.get(EventKind(run_event.kind), ""),
        "run": f"{run_event.run.job.name} {run_event.run.token}",
        "url": admin_url("chroniker_run_change", run_event.run_id),
    }
