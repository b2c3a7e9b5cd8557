"""The checks of ``manage.py doctor``: problems that may prevent jobs from running. They change nothing.

Belongs here: checks of live databases, hosts and servers. Does not belong here: checks of settings (``checks``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from django.db import Error, connections

from chroniker.escaping import to_one_line
from chroniker.management.diagnosis import installation, messages, scheduling
from chroniker.management.diagnosis.finding import Finding, FindingLevel, Findings
from chroniker.scheduler.database_errors import MIGRATE_HINT, missing_migrations_text

__all__ = ["Finding", "FindingLevel", "run_checks"]

#: Subject, check, and whether it needs the database and its tables.
DOCTOR_CHECKS: tuple[tuple[str, Callable[[], Findings], bool], ...] = (
    ("database", installation.diagnose_database, False),
    ("migrations", installation.diagnose_migrations, True),
    ("runtime directory", installation.diagnose_runtime_directory, False),
    ("this host", installation.diagnose_this_host, False),
    ("pauses", scheduling.diagnose_pauses, True),
    ("hosts", scheduling.diagnose_hosts, True),
    ("health", scheduling.diagnose_ticks_and_messages, True),
    ("channels", messages.diagnose_channels, True),
    ("backlog", scheduling.diagnose_backlog, True),
    ("queued", scheduling.diagnose_queued_runs, True),
    ("jobs", scheduling.diagnose_jobs, True),
    ("executors", installation.diagnose_executors, True),
    ("reliability", scheduling.diagnose_reliability, True),
)
#: After an error of these, checks that need the database are left out.
PREREQUISITE_CHECK_NAMES = frozenset({"database", "migrations"})


def run_checks(time_limit: float) -> Iterator[Finding]:
    """Run all checks. Each is given up after ``time_limit`` seconds."""
    usable = True
    for about, check, needs_database in DOCTOR_CHECKS:
        if needs_database and not usable:
            continue
        findings = _run_with_time_limit(about, check, time_limit)
        yield from findings
        if about in PREREQUISITE_CHECK_NAMES and any(finding.level == FindingLevel.ERROR for finding in findings):
            usable = False


def _finding_of_exception(about: str, error: Exception) -> Finding:
    text = f"{type(error).__name__}: {to_one_line(str(error).strip())}"
    if missing := missing_migrations_text(error):
        return Finding(FindingLevel.ERROR, about, f"{missing} {text}", MIGRATE_HINT)
    if "unsupported startup parameter" in text:
        advice = "PgBouncer refuses this parameter. Remove it from OPTIONS in DATABASES; set such limits on the server."
    elif isinstance(error, Error):
        advice = "Start the database server, or correct DATABASES; then run doctor again."
    else:
        advice = "Correct what the message names, then run doctor again."
    return Finding(FindingLevel.ERROR, about, text, advice)


def _run_with_time_limit(about: str, check: Callable[[], Findings], time_limit: float) -> list[Finding]:
    """Run the check in a thread, which is abandoned when its time is over: a driver may wait for minutes."""
    found: list[Finding] = []

    def work() -> None:
        try:
            found.extend(Finding(level, about, text, advice) for level, text, advice in check())
        except Exception as error:  # any exception of a driver is a finding
            found.append(_finding_of_exception(about, error))
        finally:
            connections.close_all()

    thread = threading.Thread(target=work, name=f"doctor-{about}", daemon=True)
    thread.start()
    thread.join(time_limit)
    if thread.is_alive():
        text = f"No answer within {time_limit:g} s."
        return [
            *found,
            Finding(FindingLevel.ERROR, about, text, "Check the network and the server, or give --timeout."),
        ]
    return found
