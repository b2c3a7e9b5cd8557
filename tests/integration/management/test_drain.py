"""``manage.py drain``: this host claims and starts nothing more, and the exit status says whether runs are left."""

from __future__ import annotations

import io
import uuid
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client, override_settings

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.eligibility import draining, hosts, pauses
from chroniker.lifecycle import Outcome
from chroniker.models import Host, Run, Status
from chroniker.scheduler import tick as ticks
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.support.factories import a_booked_job, a_due_job, started
from tests.support.manage import Manage
from tests.support.processes import wait_until

pytestmark = [pytest.mark.django_db(transaction=True)]

NEVER = "0 0 1 1 *"


def drain(*words: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("drain", *words, stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


def begin(run: Run, host: str = "") -> bool:
    return lifecycle.start(run.pk, run.token, uuid.uuid4(), host=host or settings.hostname, pid=1) is not None


@pytest.mark.usefixtures("dummy")
def test_a_draining_host_claims_nothing_and_another_host_does() -> None:
    job = a_due_job()
    draining.record_drain_of_this_host("a test")
    result = tick()
    assert result.claimed == [] and result.draining
    with override_settings(CHRONIKER_HOSTNAME="another"):
        assert [run.job_id for run in tick().claimed] == [job.pk]


@pytest.mark.usefixtures("dummy")
def test_a_draining_host_claims_nothing_after_a_run() -> None:
    job = a_due_job()
    draining.record_drain_of_this_host("a test")
    assert ticks.claim_after_run(job.pk).claimed == []
    draining.record_end_of_drain_of_this_host()
    assert ticks.claim_after_run(job.pk).claimed != []


@pytest.mark.usefixtures("dummy")
def test_a_draining_host_starts_nothing_and_the_run_goes_to_another() -> None:
    run = run_now(a_booked_job(cron=NEVER), requested_by="a test")
    draining.record_drain_of_this_host("a test")
    assert not begin(run)
    run.refresh_from_db()
    assert run.status == Status.CLAIMED and run.nonce is None
    host = settings.hostname
    assert run.reason == f"The host “{host}” is draining: the run waits until another host takes it or the drain ends."
    assert run.redispatch_at is not None and (run.redispatch_at - database_now()).total_seconds() < 2
    with override_settings(CHRONIKER_HOSTNAME="another"):
        assert begin(run, "another")


@pytest.mark.usefixtures("dummy")
def test_without_runs_it_ends_at_once_with_status_0() -> None:
    status, out = drain("--timeout", "60")
    assert status == 0
    assert f"The host “{settings.hostname}” has been draining since" in out and "No run is left." in out


@pytest.mark.usefixtures("dummy")
def test_runs_that_are_left_are_printed_and_the_status_is_1() -> None:
    mine, other = (run_now(a_booked_job(name=name, cron=NEVER), requested_by="a test") for name in ("mine", "other"))
    begin(mine)
    with override_settings(CHRONIKER_HOSTNAME="another"):
        begin(other, "another")
    status, out = drain("--timeout", "0")
    assert status == 1
    assert "left: “mine”: run 1, by hand, running since " in out and f"({mine.pk})" in out
    assert "other" not in out and out.endswith("Runs are left.\n")


@pytest.mark.usefixtures("dummy")
def test_undo_ends_the_drain() -> None:
    draining.record_drain_of_this_host("a test")
    assert drain("--undo") == (0, f"The host “{settings.hostname}” claims and starts runs again.\n")
    assert drain("--undo") == (0, f"The host “{settings.hostname}” was not draining.\n")
    assert not draining.select_this_host_if_draining().exists()


@pytest.mark.usefixtures("dummy")
def test_the_fleet_is_paused_and_queued_runs_of_all_hosts_are_left() -> None:
    run_now(a_booked_job(name="queued", cron=NEVER), requested_by="a test")
    status, out = drain("--fleet", "--timeout", "0")
    assert status == 1 and "left: “queued”: run 1, by hand, queued since " in out
    assert pauses.global_pause() is not None
    assert drain("--fleet", "--undo") == (0, "All jobs were resumed.\n")
    assert pauses.global_pause() is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--timeout", "-1"], "--timeout -1: give seconds, 0 or more."),
        (["--timeout", "inf"], "--timeout inf: give seconds, 0 or more."),
        (["--undo", "--timeout", "3"], "--undo waits for nothing; leave out --timeout."),
    ],
)
def test_bad_input_is_refused_with_status_2(words: list[str], message: str) -> None:
    with pytest.raises(CommandError) as refusal:
        drain(*words)
    assert str(refusal.value) == message and refusal.value.returncode == 2


@pytest.mark.usefixtures("dummy")
def test_the_pages_and_doctor_name_a_draining_host(admin: Client) -> None:
    from chroniker.insights import health_facts

    hosts.record_heartbeat(["default"])
    draining.record_drain_of_this_host("ann on web1 (manage.py drain)")
    health_facts.clear_cached_health_facts()
    page = admin.get("/admin/chroniker/host/").content.decode()
    assert "Draining" in page and "Requested by ann on web1 (manage.py drain)." in page
    assert draining.drain_messages()[0].endswith(
        ", at the request of ann on web1 (manage.py drain): it claims and starts no runs."
    )


def test_it_waits_for_a_run_of_cronserver_whose_restart_ends_the_drain(manage: Manage, tmp_path: Path) -> None:
    job = a_due_job(name="slow", raw_command="sleep 12")
    with manage.process("cronserver", "0.5"):
        wait_until(lambda: Run.objects.filter(job=job, status=Status.RUNNING).exists(), what="running")
        left = manage("drain", "--timeout", "0")
        assert left.returncode == 1 and "left: “slow”" in left.stdout, left
        later = a_due_job(name="later", raw_command="true")
        done = manage("drain")
        assert done.returncode == 0 and "No run is left." in done.stdout, done
        assert Run.objects.get(job=job).status == Status.SUCCEEDED
        assert not Run.objects.filter(job=later).exists()
    with manage.process("cronserver", "0.5"):
        wait_until(lambda: Run.objects.filter(job=later).exists(), what="claimed by the new process")
    assert not Host.objects.filter(draining_since__isnull=False).exists()


@pytest.mark.usefixtures("dummy")
def test_a_second_drain_keeps_the_beginning_of_the_first() -> None:
    draining.record_drain_of_this_host("first")
    began = draining.select_this_host_if_draining().get().draining_since
    draining.record_drain_of_this_host("second")
    host = draining.select_this_host_if_draining().get()
    assert (host.draining_since, host.draining_by) == (began, "first")


@pytest.mark.usefixtures("dummy")
def test_it_waits_until_the_run_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_now(a_booked_job(cron=NEVER), requested_by="a test")
    nonce = started(run)
    Run.objects.filter(pk=run.pk).update(host=settings.hostname)
    looks = []

    def look(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED))

    monkeypatch.setattr("chroniker.management.commands.drain.time.sleep", look)
    assert drain()[0] == 0
    assert len(looks) == 3, "two looks in a row find no run"
