"""Events: the command ``trigger_job``."""

from __future__ import annotations

import datetime as dt
import io

import pytest
from django.core.management import CommandError, call_command

from chroniker.management.commands.trigger_job import Command
from chroniker.models import Run
from chroniker.scheduler.manual_runs import run_now
from tests.integration.lifecycle.triggered_jobs import a_target

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("dummy")]


def trigger_job(*words: str) -> str:
    out = io.StringIO()
    call_command("trigger_job", *words, stdout=out)
    return out.getvalue()


def test_the_command_requests_a_run() -> None:
    job = a_target(name="load")
    words = ["load", "--for", "2026-03-29T03:00+00:00", "--key", "k", "--", "--verbosity", "2"]
    out = io.StringIO()
    Command(stdout=out).run_from_argv(["manage.py", "trigger_job", *words])
    printed = out.getvalue()
    run = Run.objects.get(job=job)
    assert printed == f"“load” was requested; its run is {run.pk}.\n"
    assert (run.argv, run.instant) == (["noop", "--verbosity", "2"], dt.datetime(2026, 3, 29, 3, tzinfo=dt.UTC))
    assert run.asked_by.endswith(" (manage.py trigger_job)")


def test_the_command_says_that_the_request_waits() -> None:
    job = a_target(name="load")
    run_now(job, requested_by="ann")
    assert trigger_job("load") == "“load” was requested; it runs as soon as it may.\n"


def test_the_command_tells_why_it_is_refused() -> None:
    a_target(name="off", enabled=False)
    with pytest.raises(CommandError, match="“off” does not run"):
        trigger_job("off")
    a_target(name="load")
    with pytest.raises(CommandError, match="“load” was not requested"):
        trigger_job("load", "--key", "")
