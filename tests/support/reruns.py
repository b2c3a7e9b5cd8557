"""Tests of real processes may run again when they fail; each rerun is counted."""

from __future__ import annotations

import pytest

RERUNS, DELAY_SECONDS = 2, 2


def allow(item: pytest.Item) -> None:
    """``@pytest.mark.real_processes("CAUSE")``: run the test up to twice more when it fails."""
    if (marker := item.get_closest_marker("real_processes")) is not None:
        if not marker.args:
            raise pytest.UsageError(f"{item.nodeid}: real_processes needs the cause of its failures")
        item.add_marker(pytest.mark.flaky(reruns=RERUNS, reruns_delay=DELAY_SECONDS))


def count(reporter: pytest.TerminalReporter) -> int:
    return len(reporter.stats.get("rerun", []))


def report(reporter: pytest.TerminalReporter, allowed: int | None) -> None:
    limit = "" if allowed is None else f" (allowed: {allowed})"
    reporter.write_line(f"reruns: {count(reporter)}{limit}")


def too_many(session: pytest.Session, allowed: int | None) -> bool:
    """Runs only in the reporting process, whose terminal reporter has the counts."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    return allowed is not None and reporter is not None and count(reporter) > allowed
