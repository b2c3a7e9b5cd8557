from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandParser

from chroniker.escaping import to_one_line
from chroniker.insights.dependency_graph import DependencyChain, duration_in_words, fetch_dependency_chains
from chroniker.management.console import SYSTEM_CHECK_TAGS, explain_database_errors, get_jobs_by_names_or_ids
from chroniker.management.table import table_lines
from chroniker.management.terminal import ConsoleCommand
from chroniker.models import Job

TABLE_HEADER = ("", "job", "takes", "starts after", "waits for")


class Command(ConsoleCommand):
    help = (
        "Prints chains of dependent jobs: the expected duration of each job (the median of its last 20 successful "
        "runs), its earliest start, the total time, and the critical path, marked with *: a delay there delays the "
        "end. A disabled job takes no time."
    )
    requires_system_checks = SYSTEM_CHECK_TAGS

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "jobs",
            nargs="*",
            metavar="JOB",
            help="name or id: this job and all jobs that depend on it, directly or not (default: all chains)",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object per line, for each chain")

    def handle(self, *, jobs: list[str], json: bool, **options: Any) -> None:
        with explain_database_errors():
            found = fetch_dependency_chains([job.pk for job in get_jobs_by_names_or_ids(jobs)] if jobs else None)
        for number, chain in enumerate(found):
            if json:
                self.stdout.write(as_json(chain))
            else:
                self.stdout.write(("\n" if number else "") + as_text(chain))
        if not found and not json:
            self.stdout.write("No job depends on another.")


def as_text(chain: DependencyChain) -> str:
    critical = {job.pk for job in chain.critical_path}
    rows = [
        (
            "*" if link.job.pk in critical else "",
            link.job.name + ("" if link.job.enabled else " (disabled)"),
            duration_in_words(link.seconds),
            duration_in_words(link.starts_after),
            ", ".join(job.name for job in link.waits_for),
        )
        for link in chain.links
    ]
    lines = list(table_lines(rows, TABLE_HEADER))
    if chain.critical_path:
        total = duration_in_words(chain.seconds) + ("" if chain.is_complete else " or more: some durations are unknown")
        lines += [f"Critical path: {_join_job_names(chain.critical_path, ' → ')}", f"Total: {total}"]
    if chain.circles:
        names = _join_job_names(chain.circles, ", ")
        lines.append(f"These jobs never start: they depend on each other in a circle, or on such a job: {names}")
    return "\n".join(lines)


def _join_job_names(jobs: Iterable[Job], separator: str) -> str:
    return separator.join(to_one_line(job.name) for job in jobs)


def as_json(chain: DependencyChain) -> str:
    critical = {job.pk for job in chain.critical_path}
    jobs = [
        {
            "id": link.job.pk,
            "name": link.job.name,
            "enabled": link.job.enabled,
            "seconds": link.seconds,
            "starts_after": link.starts_after,
            "waits_for": [job.pk for job in link.waits_for],
            "critical": link.job.pk in critical,
        }
        for link in chain.links
    ]
    answer = {
        "jobs": jobs,
        "critical_path": [job.pk for job in chain.critical_path],
        "seconds": chain.seconds,
        "complete": chain.is_complete,
        "circles": [job.pk for job in chain.circles],
    }
    return json.dumps(answer, ensure_ascii=False)
