from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import QuerySet

from chroniker.insights.job_status import JobCondition, JobStatus, fetch_job_status
from chroniker.job_commands import hand_over
from chroniker.management.console import SYSTEM_CHECK_TAGS, explain_database_errors, get_group_by_name, local_time_text
from chroniker.management.table import table_lines
from chroniker.management.terminal import ConsoleCommand
from chroniker.models import Job

TABLE_HEADER = ("id", "name", "state", "next run", "last result", "why it does not run")
#: Jobs per batch. A batch takes a constant number of queries.
JOBS_PER_BATCH = 1000


class Command(ConsoleCommand):
    help = (
        "Lists jobs: state, next run, last result, and why each does not run now. "
        "With --json one object per line: id, name, group, tags, enabled, state, next_run, last_result, "
        "last_finished_at, run (the open one), progress ({complete, total}), why, handed_over (the work is handed "
        "over, its result is not tracked); times in ISO 8601, null for missing values."
    )
    requires_system_checks = SYSTEM_CHECK_TAGS

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--state", nargs="+", choices=JobCondition.values, help="only jobs in one of these states")
        parser.add_argument("--name", metavar="TEXT", help="only jobs with this text in their name, ignoring case")
        parser.add_argument("--group", metavar="NAME", help="only jobs of this group")
        parser.add_argument("--tag", metavar="NAME", help="only jobs with this tag")
        parser.add_argument("--json", action="store_true", help="one JSON object per line, for programs")

    def handle(
        self,
        *,
        state: list[str] | None,
        name: str | None,
        group: str | None,
        tag: str | None,
        json: bool,
        **options: Any,
    ) -> None:
        with explain_database_errors():
            jobs = Job.objects.order_by("name")
            if name is not None:
                jobs = jobs.filter(name__icontains=name)
            if group is not None:
                jobs = jobs.filter(group=get_group_by_name(group))
            if tag is not None:
                jobs = jobs.filter(tags__name=tag.lower())
            found = (facts for facts in fetch_statuses_in_batches(jobs) if not state or facts.condition in state)
            if json:
                for facts in found:
                    self.stdout.write(as_json(facts))
            else:
                lines = list(table_lines([table_row(facts) for facts in found], TABLE_HEADER))
                self.stdout.write("\n".join(lines) or "No jobs.")


def fetch_statuses_in_batches(jobs: QuerySet[Job]) -> Iterator[JobStatus]:
    ids = list(jobs.values_list("pk", flat=True))
    for start in range(0, len(ids), JOBS_PER_BATCH):
        yield from fetch_job_status(
            list(
                jobs.filter(pk__in=ids[start : start + JOBS_PER_BATCH]).select_related("group").prefetch_related("tags")
            )
        ).values()


def table_row(status: JobStatus) -> tuple[str, ...]:
    ended = (
        f"{status.last_status.label}, {local_time_text(status.state.last_finished_at)}" if status.last_status else "-"
    )
    if note := hand_over.hand_over_note(status.job.command, status.job.args):
        ended += f" ({note})"
    next_run = local_time_text(status.next_run) if status.next_run else "-"
    why = "" if status.is_self_explanatory else " ".join(status.why.split())
    return (str(status.job.pk), status.job.name, str(status.condition.label), next_run, ended, why)


def as_json(status: JobStatus) -> str:
    job, lease = status.job, status.lease
    has_progress = lease is not None and lease.total_parts is not None
    return json.dumps(
        {
            "id": job.pk,
            "name": job.name,
            "group": job.group.name if job.group else None,
            "tags": [tag.name for tag in job.tags.all()],
            "enabled": job.enabled,
            "state": status.condition.value,
            "next_run": _iso_or_none(status.next_run),
            "last_result": status.last_status.value if status.last_status else None,
            "last_finished_at": _iso_or_none(status.state.last_finished_at),
            "run": str(lease.run_id) if lease else None,
            "progress": {"complete": lease.total_parts_complete, "total": lease.total_parts}
            if lease and has_progress
            else None,
            "why": status.why,
            "handed_over": hand_over.is_work_handed_over(job.command, job.args),
        },
        ensure_ascii=False,
    )


def _iso_or_none(moment: dt.datetime | None) -> str | None:
    return moment.astimezone(dt.UTC).isoformat() if moment else None
