from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chroniker.models import Job, LogChunk, Run, Status, Stream
from tests.support.factories import a_booked_job
from tests.support.processes import ManagementCommand, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

Start = Callable[..., ManagementCommand]
MEGABYTE = 1 << 20


def run_of(start: Start, args: str, **fields: Any) -> tuple[Run, ManagementCommand]:
    job = a_booked_job(cron="0 3 1 1 *", command="spew", args=args, **fields)
    Job.objects.filter(pk=job.pk).update(force_run=True)
    cron = start("cron")
    assert cron.wait() == 0, cron.log
    return Run.objects.get(job=job), cron


def output_of(run: Run, stream: Stream = Stream.STDOUT) -> str:
    chunks = LogChunk.objects.filter(run=run, stream=stream).order_by("seq").values_list("seq", "text")
    assert [seq for seq, _text in chunks] == list(range(len(chunks)))
    return "".join(text for _seq, text in chunks)


def test_what_is_hard_to_log_is_stored_as_written(start: Start) -> None:
    args = "--nul --non-ascii --broken-utf8 --os-write --c-level --grandchild --no-newline"
    run, _cron = run_of(start, args)
    assert run.status == Status.SUCCEEDED
    assert output_of(run).splitlines() == [
        "before␀between␀after",
        "héllo 你好 🙂",
        "broken \ufffd\ufffd\ufffd utf-8",
        "written past python",
        "written by the c library",
        "written by a grandchild",
        "the end, without a newline",
    ]


def test_twenty_megabytes_in_one_line_are_stored_whole(start: Start) -> None:
    run, _cron = run_of(start, "--megabytes 20 --stderr", log_max_bytes=None)
    text = output_of(run, Stream.STDERR)
    assert len(text) == 20 * MEGABYTE + 1
    assert set(text[:-1]) == {"x"}


def test_over_its_cap_a_log_keeps_the_beginning_and_the_end_and_says_what_is_missing(start: Start) -> None:
    run, _cron = run_of(start, "--text first --megabytes 5 --no-newline", log_max_bytes=100_000)
    text = output_of(run)
    assert text.startswith("first") and text.endswith("the end, without a newline")
    assert len(text) < 110_000
    written = len("first") + 5 * MEGABYTE + len("\nthe end, without a newline")
    assert f"{written - len(text)} bytes of stdout are missing" in output_of(run, Stream.REMARK)


def test_the_supervisor_keeps_little_of_it_in_memory(start: Start, tmp_path: Path) -> None:
    job = a_booked_job(cron="0 3 1 1 *", command="spew", args="--megabytes 200", log_max_bytes=MEGABYTE)
    Job.objects.filter(pk=job.pk).update(force_run=True)
    cron = start("cron")
    peak = 0

    def ended() -> bool:
        nonlocal peak
        try:
            status = Path(f"/proc/{cron.pid}/status").read_text()
            peak = max(peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
        except (OSError, ValueError):
            pass
        return not cron.running()

    wait_until(ended)
    assert Run.objects.get(job=job).status == Status.SUCCEEDED
    assert 0 < peak < 160 * 1024  # kilobytes; most of it is Django itself
