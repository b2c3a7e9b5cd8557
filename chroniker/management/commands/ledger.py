from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandParser

from chroniker.clock.database_clock import database_now
from chroniker.insights import ledger
from chroniker.insights.ledger import LedgerEntry
from chroniker.management.console import (
    SYSTEM_CHECK_TAGS,
    explain_database_errors,
    get_job_by_name_or_id,
    local_time_text,
    parse_moment,
    parse_row_limit,
)
from chroniker.management.table import table_lines
from chroniker.management.terminal import ConsoleCommand
from chroniker.models import Job, JobState, Run, Status

TABLE_HEADER = ("scheduled time", "result", "run", "started", "reason")
#: Scheduled times per query.
INSTANTS_PER_QUERY = 500


class Command(ConsoleCommand):
    help = (
        "Lists the scheduled times of a job, newest first, and the result of each: how its run ended, or why there was "
        "none. With --json one object per line: instant, until (the last one of a period without records, else null), "
        "verdict, run, token, attempt, started_at, finished_at, code, reason, certain, backfill_run (the last backfill "
        "run for this time: run, token, status, finished_at; else null); times in ISO 8601."
    )
    requires_system_checks = SYSTEM_CHECK_TAGS

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", metavar="NAME-OR-ID")
        parser.add_argument("--from", dest="since", metavar="TIME", help="only from this time on: 2026-03-29T03:00")
        parser.add_argument("--until", metavar="TIME", help="only until this time (default: now)")
        parser.add_argument(
            "--limit",
            type=parse_row_limit,
            default=50,
            metavar="N",
            help="list at most N; 0: all (default: %(default)s)",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object per line, for programs")

    def handle(self, *, job: str, since: str | None, until: str | None, limit: int, json: bool, **options: Any) -> None:
        # Where the clock repeats an hour, "from" is its first occurrence and "until" the second.
        low, high = parse_moment(since, fold=0), parse_moment(until, fold=1)
        with explain_database_errors():
            found = read_entries(get_job_by_name_or_id(job), low, high, limit)
            if json:
                for entry in found:
                    self.stdout.write(as_json(entry))
            else:
                lines = list(table_lines([table_row(entry) for entry in found], TABLE_HEADER))
                self.stdout.write("\n".join(lines) or "No scheduled times.")


def read_entries(job: Job, low: dt.datetime | None, high: dt.datetime | None, limit: int) -> Iterator[LedgerEntry]:
    """Reads page by page, so that memory does not grow with the number."""
    state = JobState.objects.filter(pk=job.pk).first() or JobState(job_id=job.pk)
    now, left = database_now(), limit or None
    while left is None or left > 0:
        page = ledger.fetch_newest_entries(
            job, state, now, high, limit=min(left or INSTANTS_PER_QUERY, INSTANTS_PER_QUERY)
        )
        for entry in page.entries:
            if low is not None and entry.instant < low:
                return
            yield entry
        if not page.has_more:
            return
        left = left and left - len(page.entries)
        high = (page.entries[-1].first or page.entries[-1].instant) - dt.timedelta(microseconds=1)


def table_row(entry: LedgerEntry) -> tuple[str, ...]:
    run, stretch = entry.retry or entry.run, entry.first and entry.first != entry.instant
    instant = (
        f"{local_time_text(entry.first)} to {local_time_text(entry.instant)}"
        if stretch
        else local_time_text(entry.instant)
    )
    token = f"#{run.token}" if run else "-"
    started = local_time_text(run.started_at) if run and run.started_at else "-"
    reason = " ".join(run.reason.split()) if run else ""
    if (later := entry.backfill_run) is not None:
        reason = f"{reason} Backfill run {later.token}: {Status(later.status).label}.".strip()
    return (instant, str(entry.verdict.label), token, started, reason)


def as_json(entry: LedgerEntry) -> str:
    run, times = entry.retry or entry.run, ("started_at", "finished_at")
    answer = {
        "instant": _iso_or_none(entry.first or entry.instant),
        "until": _iso_or_none(entry.instant) if entry.first else None,
        "verdict": entry.verdict.value,
        "run": str(run.pk) if run else None,
        "token": run.token if run else None,
        "attempt": run.attempt if run else None,
        **{name: _iso_or_none(getattr(run, name, None)) for name in times},
        "code": run.code if run else "",
        "reason": run.reason if run else "",
        "certain": entry.certain,
        "backfill_run": _backfill_run_values(entry.backfill_run) if entry.backfill_run else None,
    }
    return json.dumps(answer, ensure_ascii=False)


def _backfill_run_values(run: Run) -> dict[str, Any]:
    return {"run": str(run.pk), "token": run.token, "status": run.status, "finished_at": _iso_or_none(run.finished_at)}


def _iso_or_none(value: dt.datetime | None) -> str | None:
    return value.astimezone(dt.UTC).isoformat() if value else None
