from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from chroniker.escaping import to_one_line
from chroniker.exceptions import BackfillRefused
from chroniker.management.console import (
    POLL_SECONDS,
    SYSTEM_CHECK_TAGS,
    explain_database_errors,
    get_job_by_name_or_id,
    local_time_text,
    parse_moment,
)
from chroniker.management.table import table_lines
from chroniker.management.terminal import ConsoleCommand
from chroniker.models import OPEN_STATUSES, Backfill, BackfillFailurePolicy, InstantSelection, Run
from chroniker.models.audit import command_actor
from chroniker.scheduler import backfilling, requests
from chroniker.scheduler.backfilling import BackfillPreview, BackfillRequest
from chroniker.wording.formats import short_duration

INSTANT_SELECTION_BY_OPTION = {each.value.lower().replace("_", "-"): each for each in InstantSelection}
TABLE_HEADER = ("backfill", "job", "from", "until", "which", "progress", "failed", "requested by")


def find_backfill(text: str) -> Backfill:
    try:
        return Backfill.objects.select_related("job").get(pk=UUID(text))
    except (ValueError, Backfill.DoesNotExist):
        raise CommandError(f"There is no backfill “{to_one_line(text)[:100]}”.") from None


class Command(ConsoleCommand):
    help = (
        "Runs a job for its past scheduled times, one after the other, the oldest first, after everything else that is "
        "due. Both ends of the range are included. Exit status 1 with --wait if a run failed or the backfill did not "
        "complete, with --cancel if it was not open, and with --retry-now if it has no such retry."
    )
    requires_system_checks = SYSTEM_CHECK_TAGS

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", metavar="NAME-OR-ID", nargs="?")
        parser.add_argument("--from", dest="first", metavar="TIME", help="the first moment: 2026-03-29T03:00")
        parser.add_argument("--until", dest="last", metavar="TIME", help="the last moment, included")
        parser.add_argument(
            "--which",
            choices=sorted(INSTANT_SELECTION_BY_OPTION),
            default="not-succeeded",
            help="the scheduled times that get a run (default: %(default)s)",
        )
        parser.add_argument(
            "--include-unknown", action="store_true", help="run also for times of which no run is stored"
        )
        parser.add_argument(
            "--stop-on-failure", action="store_true", help="end after the first run that fails with all its retries"
        )
        parser.add_argument("--arguments", dest="args_of_runs", metavar="TEXT", help="arguments for these runs only")
        parser.add_argument("--note", default="", metavar="TEXT", help="a note about the reason, for people")
        parser.add_argument("--dry-run", action="store_true", help="list what would run, and change nothing")
        parser.add_argument("--wait", action="store_true", help="wait until it has ended")
        other = parser.add_mutually_exclusive_group()
        other.add_argument("--list", action="store_true", help="list the open backfills, or those of this job")
        other.add_argument("--cancel", metavar="ID", help="start no further run of this backfill")
        other.add_argument("--retry-now", metavar="ID", help="make the pending retry of this backfill due now")
        parser.add_argument("--stop-run", action="store_true", help="with --cancel: stop its open run, too")

    def handle(self, **options: Any) -> None:
        with explain_database_errors():
            if options["cancel"] is not None:
                self.cancel(options["cancel"], options["stop_run"])
            elif options["retry_now"] is not None:
                self.retry_now(options["retry_now"])
            elif options["list"]:
                self.write_list(options["job"])
            else:
                self.request(options)

    def request(self, options: dict[str, Any]) -> None:
        first, last = parse_moment(options["first"], fold=0), parse_moment(options["last"], fold=1)
        if not options["job"] or first is None or last is None:
            raise CommandError("Name a job, and the range with --from and --until.")
        wish = BackfillRequest(
            get_job_by_name_or_id(options["job"]),
            first,
            last,
            INSTANT_SELECTION_BY_OPTION[options["which"]],
            options["include_unknown"],
            BackfillFailurePolicy.STOP if options["stop_on_failure"] else BackfillFailurePolicy.GO_ON,
            options["args_of_runs"],
            options["note"],
        )
        try:
            if options["dry_run"]:
                self.write_preview(wish, backfilling.preview_backfill(wish))
                return
            made = requests.request_backfill(wish, command_actor("backfill"))
        except BackfillRefused as refusal:
            raise CommandError(to_one_line(str(refusal))) from refusal
        self.stdout.write(
            f"Backfill {made.pk} was requested (number of runs: {made.planned}). It can start at the next tick."
        )
        if options["wait"]:
            self.wait(made)

    def write_preview(self, wish: BackfillRequest, preview: BackfillPreview) -> None:
        rows = [
            (local_time_text(each.instant), str(each.result.label), "would run" if wish.includes_instant(each) else "-")
            for each in preview.instants_with_results
        ]
        self.stdout.write("\n".join(table_lines(rows, ("scheduled time", "record", "backfill"))))
        seconds = preview.expected_total_seconds
        takes = "" if seconds is None else f", about {short_duration(seconds)} in all"
        self.stdout.write(f"{preview.planned} of {len(rows)} scheduled times would run{takes}.")

    def write_list(self, job: str | None) -> None:
        rows = Backfill.objects.select_related("job").order_by("-created_at")
        rows = rows.filter(finished_at=None) if job is None else rows.filter(job=get_job_by_name_or_id(job))
        lines = [
            (
                str(row.pk),
                to_one_line(row.job.name),
                local_time_text(row.first),
                local_time_text(row.last),
                str(InstantSelection(row.which).label),
                f"{row.made} of {row.planned}, {row.condition_label}",
                str(row.failed),
                to_one_line(row.asked_by),
            )
            for row in rows[:1000]
        ]
        self.stdout.write("\n".join(table_lines(lines, TABLE_HEADER)) if lines else "No backfills.")

    def retry_now(self, text: str) -> None:
        changed = requests.make_backfill_retry_due_now(find_backfill(text), command_actor("backfill"))
        self.stdout.write(
            "Its retry is due now." if changed else "It has no pending retry, or its retry is already due."
        )
        if not changed:
            raise SystemExit(1)

    def cancel(self, text: str, stop_run: bool) -> None:
        was_open = requests.cancel_backfill(find_backfill(text).pk, command_actor("backfill"), stop_run=stop_run)
        self.stdout.write("Cancelled." if was_open else "It has ended already.")
        if not was_open:
            raise SystemExit(1)

    def wait(self, backfill: Backfill) -> None:
        of_it = Run.objects.filter(job=backfill.job_id, backfill=backfill.pk, status__in=OPEN_STATUSES)
        while backfill.is_open or of_it.exists():
            time.sleep(POLL_SECONDS * 5)
            backfill.refresh_from_db()
        self.stdout.write(
            f"It has ended ({backfill.condition_label}): {backfill.succeeded} succeeded, {backfill.failed} failed."
        )
        if backfill.failed or backfill.condition != "DONE":
            raise SystemExit(1)
