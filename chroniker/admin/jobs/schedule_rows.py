"""The rows of a job's schedule history: a scheduled time, or a range of scheduled times, with its result."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker.admin.shared.site_links import admin_url
from chroniker.insights.job_status import JobStatus
from chroniker.insights.ledger import LedgerEntry, NoRunReason
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.models import Run, Status
from chroniker.wording.formats import NO_VALUE_TEXT, exact_time, short_duration, short_time


@dataclass(slots=True)
class HistoryRow:
    """``state``: a code of ``chroniker.wording.states``. ``runs``: the number and the address of each attempt."""

    when: str
    state: str
    runs: list[tuple[int, str]] = field(default_factory=list)
    started: str = NO_VALUE_TEXT
    delay: str = NO_VALUE_TEXT
    reason: str = ""
    doubt: str = ""


def history_rows(
    entries: Sequence[LedgerEntry], overview: JobStatus, max_rows: int, *, only_not_succeeded: bool
) -> tuple[list[HistoryRow], dt.datetime | None]:
    """At most ``max_rows`` rows, newest first. If there are more rows: also the oldest moment that these rows cover."""
    groups = _group_by_run([entry for entry in entries if not only_not_succeeded or entry.verdict != Status.SUCCEEDED])
    shown = list(islice(groups, max_rows))
    more = next(groups, None) is not None
    oldest = shown[-1][-1] if shown else None
    rest = (oldest.first or oldest.instant) if more and oldest is not None else None
    return [_history_row(group, overview) for group in shown], rest


def _group_by_run(entries: Sequence[LedgerEntry]) -> Iterator[list[LedgerEntry]]:
    """Group the scheduled times that one run covers."""
    numbered = enumerate(entries)
    for _key, group in groupby(numbered, key=lambda pair: pair[1].run.pk if pair[1].run is not None else pair[0]):
        yield [entry for _number, entry in group]


def _history_row(group: Sequence[LedgerEntry], overview: JobStatus) -> HistoryRow:
    newest, oldest = group[0], group[-1]
    row = HistoryRow(
        _time_range_text(oldest.first or oldest.instant, newest.instant, overview.now), _state_code(newest)
    )
    if newest.run is not None:
        _add_attempts_to_row(row, newest.run, newest.retry, oldest.instant)
    row.reason = _reason_of_group(group, overview)
    _add_backfill_to_row(row, group)
    if not all(entry.certain for entry in group):
        row.doubt = _("The scheduled times are computed from the present schedule, which has changed since then.")
    return row


def _add_backfill_to_row(row: HistoryRow, group: Sequence[LedgerEntry]) -> None:
    """For one scheduled time, add its backfill run. For a range, add how many succeeded in a backfill."""
    runs = [entry.backfill_run for entry in group if entry.backfill_run is not None]
    if not runs:
        return
    if len(group) == 1 and group[0].first is None:
        [run] = runs
        row.runs.append((run.token, admin_url("chroniker_run_change", run.pk)))
        words: dict[str, Any] = {"token": run.token, "status": Status(run.status).label}
        text = _("Backfill run %(token)d: %(status)s.") % words
    else:
        n = sum(run.status == Status.SUCCEEDED for run in runs)
        text = ngettext(
            "%(n)d of these scheduled times succeeded in a backfill.",
            "%(n)d of these scheduled times succeeded in backfills.",
            n,
        ) % {"n": n}
    row.reason = f"{row.reason} {text}".strip()


def _time_range_text(first: dt.datetime, last: dt.datetime, now: dt.datetime) -> str:
    show = exact_time if first.second or last.second else short_time
    if first == last:
        return show(last, now)
    return _("%(first)s to %(last)s") % {"first": show(first, now), "last": show(last, now)}


def _state_code(entry: LedgerEntry) -> str:
    if isinstance(entry.verdict, NoRunReason):
        return {NoRunReason.DUE: "due", NoRunReason.DISABLED: "disabled"}.get(entry.verdict, "no_record")
    return str(entry.verdict)


def _add_attempts_to_row(row: HistoryRow, run: Run, retry: Run | None, first_time: dt.datetime) -> None:
    """Add the attempts. The delay is from the first scheduled time to the start of the first attempt."""
    if run.status == Status.SKIPPED:
        return
    row.runs = [(each.token, admin_url("chroniker_run_change", each.pk)) for each in (run, retry) if each is not None]
    if run.started_at is not None:
        row.started = exact_time(run.started_at)
        row.delay = short_duration(run.started_at - first_time)


def _reason_of_group(group: Sequence[LedgerEntry], overview: JobStatus) -> str:
    entry = group[0]
    if entry.run is None or entry.last_attempt is None:
        return {
            NoRunReason.DUE: overview.why,
            NoRunReason.DISABLED: _(
                "The job is disabled. When it is enabled, this scheduled time is recorded as skipped."
            ),
        }.get(NoRunReason(entry.verdict), _("The record was deleted together with old runs."))
    texts = []
    if len(group) > 1:
        text = (
            ngettext("%(n)d scheduled time.", "%(n)d scheduled times.", len(group))
            if entry.run.status == Status.SKIPPED
            else ngettext("%(n)d scheduled time.", "%(n)d scheduled times merged into one run.", len(group))
        )
        texts.append(text % {"n": len(group)})
    if entry.retry is not None:
        words: dict[str, Any] = {"n": entry.retry.attempt, "status": Status(entry.run.status).label}
        texts.append(_("This is the result of attempt %(n)d. Result of the first attempt: %(status)s.") % words)
    if entry.last_attempt.status != Status.SUCCEEDED:
        texts.append(entry.last_attempt.reason)
    return mask_secrets(" ".join(filter(None, texts)), overview.job.secrets)
