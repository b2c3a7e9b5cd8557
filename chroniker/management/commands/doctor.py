from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from chroniker.escaping import to_one_line
from chroniker.management.diagnosis import Finding, FindingLevel, run_checks
from chroniker.management.terminal import ConsoleCommand


class Command(ConsoleCommand):
    help = (
        "Checks everything that jobs need to run: the database, its migrations, hosts and their clocks, overdue jobs, "
        "waiting runs, broken jobs, executors with their brokers and workers. Prints faults and remedies. "
        "Exit status, for monitoring: 0 no fault, 1 warnings, 2 errors."
    )
    requires_system_checks = []  # people use doctor when these checks fail

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object per line: level, about, text, advice")
        parser.add_argument(
            "--timeout",
            type=float,
            default=10.0,
            metavar="SECONDS",
            help="time limit of each check (default: %(default)g)",
        )

    def handle(self, *, json: bool, timeout: float, verbosity: int, **options: Any) -> None:
        if not 0 < timeout < float("inf"):
            raise CommandError(f"--timeout {timeout:g}: give seconds, more than 0.", returncode=2)
        worst = FindingLevel.OK
        for finding in run_checks(timeout):
            worst = max(worst, finding.level)
            if json:
                self.stdout.write(as_json(finding))
            elif finding.level > FindingLevel.OK or verbosity >= 1:
                self.stdout.write(as_text(finding))
        if worst:
            raise SystemExit(int(worst))


def as_text(finding: Finding) -> str:
    line = f"{finding.level.name:8} {finding.about}: {to_one_line(finding.text)}"
    return f"{line}\n{' ' * 9}{to_one_line(finding.advice)}" if finding.advice else line


def as_json(finding: Finding) -> str:
    answer = {
        "level": finding.level.name,
        "about": finding.about,
        "text": finding.text,
        "advice": finding.advice,
    }
    return json.dumps(answer, ensure_ascii=False)
