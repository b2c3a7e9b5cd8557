"""What ``manage.py cron`` claims, prints and returns. Runs are executed inline, which makes no difference here."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from chroniker.models import Host, Run, Status, Trigger
from tests.support.command_jobs import INLINE, a_job_due_once, a_job_of_new_year, the_run
from tests.support.factories import state_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def inline() -> Iterator[None]:
    with override_settings(CHRONIKER_EXECUTORS=INLINE):
        yield


def cron(*words: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("cron", *words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_at_verbosity_0_nothing_is_printed() -> None:
    job = a_job_due_once()
    assert cron("--verbosity", "0") == ("", "")
    assert the_run(job).status == Status.SUCCEEDED


def test_each_claimed_run_is_one_line() -> None:
    jobs = [a_job_due_once(name=name) for name in ("one", "other")]
    out, err = cron()
    claims = [line.split(":")[0] for line in out.splitlines() if line.startswith("claimed")]
    assert err == "" and sorted(claims) == ["claimed “one”", "claimed “other”"]
    assert all(str(the_run(job).pk) in out for job in jobs)


def test_a_job_that_is_not_due_is_not_claimed_and_the_host_is_recorded() -> None:
    a_job_of_new_year()
    assert cron("--quiet") == ("", "")
    assert (Run.objects.count(), Host.objects.count()) == (0, 1)


def test_only_the_given_jobs_are_claimed() -> None:
    by_name, by_id = a_job_due_once(name="this one"), a_job_due_once()
    a_job_due_once()
    cron("--jobs", "this one", str(by_id.pk))
    assert set(Run.objects.values_list("job", flat=True)) == {by_name.pk, by_id.pk}


def test_force_run_claims_regardless_of_the_schedule_and_does_not_change_it() -> None:
    job = a_job_of_new_year()
    before = state_of(job).next_run
    out, _ = cron("--jobs", job.name, "--force-run")
    assert (the_run(job).status, the_run(job).trigger) == (Status.SUCCEEDED, Trigger.MANUAL)
    assert state_of(job).next_run == before
    assert "by hand" in out


def test_force_run_reports_refused_jobs_with_the_reason() -> None:
    free, disabled = a_job_of_new_year(name="free"), a_job_of_new_year(name="disabled", enabled=False)
    err = io.StringIO()
    with pytest.raises(CommandError, match="Not all of these jobs were claimed"):
        call_command("cron", "--force-run", "--jobs", "disabled", "free", stdout=io.StringIO(), stderr=err)
    assert "refused “disabled”: It is disabled." in err.getvalue()
    assert (the_run(free).status, Run.objects.filter(job=disabled).count()) == (Status.SUCCEEDED, 0)


def test_a_job_with_an_unknown_executor_does_not_prevent_other_runs() -> None:
    fine, stranded = a_job_due_once(), a_job_due_once(executor="nowhere")
    cron()
    assert the_run(fine).status == Status.SUCCEEDED
    assert the_run(stranded).status == Status.CLAIMED and "nowhere" in the_run(stranded).reason
    assert the_run(stranded).redispatch_at is not None, "it is dispatched again"


def test_an_executor_that_cannot_be_created_does_not_prevent_other_runs() -> None:
    fine = a_job_due_once()
    with override_settings(CHRONIKER_EXECUTORS={**INLINE, "broken": {"BACKEND": "nowhere.Executor"}}):
        cron()
    assert the_run(fine).status == Status.SUCCEEDED
