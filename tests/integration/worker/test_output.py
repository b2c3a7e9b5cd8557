"""Output: stdout, stderr and Python's logging of the command; the stored part and the remark about the rest."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from chroniker.models import LogChunk, Run, Status, Stream
from tests.support.command_jobs import a_job_of_new_year, the_run
from tests.support.manage import Manage

pytestmark = pytest.mark.django_db(transaction=True)
HANDLER = {"class": "logging.StreamHandler", "formatter": "line"}


def logging_to(handler: dict[str, str], level: str = "INFO") -> dict[str, Any]:
    """A project's LOGGING: one handler at the root."""
    line = {"format": "%(levelname)s %(name)s: %(message)s"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": line},
        "handlers": {"console": handler},
        "root": {"handlers": ["console"], "level": level},
    }


def ran(manage: Manage, **fields: Any) -> Run:
    """Execute a run of a new job: supervisor and command are separate processes."""
    job = a_job_of_new_year(**fields)
    manage.in_process("run_job", job.name)
    return the_run(job)


def text(run: Run, stream: Stream) -> str:
    return "".join(LogChunk.objects.filter(run=run, stream=stream).order_by("seq").values_list("text", flat=True))


def test_stdout_and_stderr_are_stored_separately_and_shown_on_the_run_page(admin: Client, manage: Manage) -> None:
    run = ran(manage, command="chatty", args="--lines 20")
    assert run.status == Status.SUCCEEDED
    assert text(run, Stream.STDOUT).splitlines()[-1] == "line 20 of 20"
    assert text(run, Stream.STDERR) == "10 lines so far\n20 lines so far\n"
    lines = admin.get(reverse("admin:chroniker_run_output", args=[run.pk])).json()["html"]
    found = re.findall(r'data-s="(out|err)".*?<span class="c">(?:<span class="tag">stderr</span>)?(.*?)</span>', lines)
    assert [shown for stream, shown in found if stream == "out"] == text(run, Stream.STDOUT).splitlines()
    assert [shown for stream, shown in found if stream == "err"] == text(run, Stream.STDERR).splitlines()


def test_logging_follows_the_settings_of_the_project(manage: Manage) -> None:
    run = ran(manage.having(LOGGING=logging_to(HANDLER)), command="logs")
    output = text(run, Stream.STDERR)
    assert "INFO tests.testapp: news from the command\n" in output
    assert "WARNING tests.testapp: a warning from the command\n" in output
    assert "a detail" not in output
    assert text(run, Stream.STDOUT) == ""


def test_logging_to_stdout_is_stored_as_stdout(manage: Manage) -> None:
    handler = {**HANDLER, "stream": "ext://sys.stdout"}
    run = ran(manage.having(LOGGING=logging_to(handler, "WARNING")), command="logs")
    assert text(run, Stream.STDOUT) == "WARNING tests.testapp: a warning from the command\n"
    assert "from the command" not in text(run, Stream.STDERR)


def test_the_filter_adds_job_and_run_to_the_records_of_a_command(manage: Manage) -> None:
    """The example of the documentation."""
    setting = logging_to({**HANDLER, "filters": ["run"]}, "WARNING")  # type: ignore[dict-item]
    setting |= {
        "filters": {"run": {"()": "chroniker.logs.RunFilter"}},
        "formatters": {"line": {"format": "%(chroniker)s%(levelname)s %(message)s (%(chroniker_run)s)"}},
    }
    run = ran(manage.having(LOGGING=setting), command="logs", name="nightly\r report")
    assert text(run, Stream.STDERR) == f"[nightly\\u000d report #1] WARNING a warning from the command ({run.pk})\n"


def test_without_logging_settings_warnings_go_to_stderr(manage: Manage) -> None:
    run = ran(manage, command="logs")
    assert text(run, Stream.STDERR) == "a warning from the command\n"


@pytest.mark.parametrize(
    ("switch", "kept", "dropped"),
    [("log_stdout", Stream.STDERR, Stream.STDOUT), ("log_stderr", Stream.STDOUT, Stream.STDERR)],
)
def test_a_disabled_stream_is_not_stored(manage: Manage, switch: str, kept: Stream, dropped: Stream) -> None:
    run = ran(manage, command="chatty", args="--lines 10", **{switch: False})
    assert run.status == Status.SUCCEEDED
    assert "10" in text(run, kept)
    assert text(run, dropped) == ""


def test_logging_is_not_stored_when_its_stream_is_disabled(manage: Manage) -> None:
    run = ran(manage, command="logs", log_stderr=False)
    assert not LogChunk.objects.filter(run=run).exists()


def test_output_over_the_cap_keeps_head_and_tail_and_reports_the_missing_part(manage: Manage) -> None:
    run = ran(manage, command="", raw_command="seq 1 20000", log_max_bytes=4000)
    written, output = "".join(f"{n}\n" for n in range(1, 20_001)), text(run, Stream.STDOUT)
    assert output.startswith("1\n2\n3\n") and output.endswith("19999\n20000\n")
    assert len(output) <= 4000
    remark = f"{len(written) - len(output)} bytes of stdout are missing here: over the limit of this job's log.\n"
    assert text(run, Stream.REMARK) == remark


def test_output_on_stderr_fails_the_run_if_the_job_is_configured_so(manage: Manage) -> None:
    run = ran(manage, command="logs", fail_on_stderr=True)
    assert (run.status, run.exit_code) == (Status.FAILED, 0)
    assert "stderr" in run.reason
    assert ran(manage, command="logs").status == Status.SUCCEEDED
    assert ran(manage, command="noop", fail_on_stderr=True).status == Status.SUCCEEDED


def test_output_on_stderr_fails_the_run_even_if_stderr_is_not_stored(manage: Manage) -> None:
    assert ran(manage, command="logs", fail_on_stderr=True, log_stderr=False).status == Status.FAILED
