"""Output that a test writes for a run, as a worker would."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from chroniker.clock.database_clock import database_now
from chroniker.models import LogChunk, Run
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, started

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: A script: requests of the page end after 0.2 s.
SHORT_TIMEOUT = "const real = AbortSignal.timeout; AbortSignal.timeout = () => real.call(AbortSignal, 200);"


def write(run: Run, stream: int, seq: int, text: str) -> None:
    time.sleep(0.002)  # SQLite's clock has milliseconds; pieces of the same one are ordered by stream
    LogChunk.objects.create(run=run, stream=stream, seq=seq, text=text, written_at=database_now())


def a_long_run() -> Run:
    """It wrote 30,000 lines, and then an error."""
    run = run_now(a_booked_job(), requested_by="a test")
    started(run)
    for seq in range(30):
        write(run, 1, seq, "".join(f"line {1000 * seq + n} of the import\n" for n in range(1, 1001)))
    write(run, 2, 0, "Traceback (most recent call last):\nValueError: oops\n")
    return run


def wait_for_line(page: Page, number: int, state: Literal["attached", "visible"] = "visible") -> None:
    """Like ``expect(…).to_be_visible()``, which describes all of the page after each failed look.

    With thousands of lines this keeps the page busy for seconds, in which it cannot receive what it has requested.
    """
    page.locator(f"#L{number}").wait_for(state=state)
