"""A database that was cloned or restored starts nothing before it is adopted."""

from __future__ import annotations

import datetime as dt
import io
import json
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle, outbox
from chroniker.clock import jump_detection
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import explanations, pauses
from chroniker.exceptions import ClaimRefused
from chroniker.insights import health_facts
from chroniker.models import (
    Action,
    Activation,
    AuditEntry,
    Job,
    JobState,
    JobTrigger,
    Outbox,
    Run,
    Status,
    Switch,
    Ticker,
    installation,
)
from chroniker.reasons import Code
from chroniker.scheduler import adoption, retention
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.support.ended_runs import a_job_with_subscribers, a_subscriber, ended
from tests.support.factories import a_booked_job, a_due_job, started
from tests.support.manage import Manage

pytestmark = pytest.mark.django_db(transaction=True)

NEVER = "0 0 1 1 *"
MINUTE = dt.timedelta(minutes=1)
WHY = "This database is a copy of another one, or was restored from a backup."


def first_tick() -> None:
    """Records the identity of this database."""
    jump_detection.read_clock()
    tick()
    assert installation.recorded().exists()


def copy_it() -> None:
    """As a dump restored elsewhere: the row has the identity of another server and table."""
    Switch.objects.update(server_identity="another server", table_identity="another table")


@pytest.fixture
def copied(dummy: object) -> None:
    first_tick()
    copy_it()


def test_the_first_tick_records_the_identity_and_later_ones_ask_nothing(dummy: object) -> None:
    first_tick()
    row = Switch.objects.get()
    assert row.server_identity not in ("", installation.UNKNOWN)
    with CaptureQueriesContext(connection) as statements:
        assert not tick().copied
    assert len(statements) == 1
    assert Switch.objects.get().server_identity == row.server_identity


def test_a_copy_claims_starts_expires_and_sends_nothing(dummy: Any) -> None:
    first_tick()
    message = ended(a_job_with_subscribers(a_subscriber()), Status.FAILED)
    queued, running = (run_now(a_booked_job(cron=NEVER), by="a test") for _ in range(2))
    started(running)
    Run.objects.filter(pk=queued.pk).update(redispatch_at=database_now() - MINUTE)
    running.lease.__class__.objects.filter(pk=running.pk).update(expires_at=database_now() - MINUTE)
    due, dispatched = a_due_job(), len(dummy.dispatched)
    copy_it()
    result = tick()
    assert result.copied and result.claimed == [] and result.lost == []
    assert len(dummy.dispatched) == dispatched
    assert not Run.objects.filter(job=due).exists()
    assert Run.objects.get(pk=running.pk).status == Status.RUNNING
    assert outbox.send_due() == 0 and Outbox.objects.get(run=message).send_at is not None
    assert lifecycle.start(queued.pk, queued.token, uuid.uuid4(), host="h", pid=1) is None
    queued.refresh_from_db()
    assert (queued.status, queued.code) == (Status.CLAIMED, Code.COPIED)


def test_a_claim_checks_it_under_its_locks(copied: None) -> None:
    """Another process may restore a dump between the first statement of a tick and its claims."""
    job = a_due_job()
    with pytest.raises(ClaimRefused) as refusal:
        run_now(job, by="a test")
    assert WHY in str(refusal.value)
    from chroniker.scheduler.claiming import claim_due
    from chroniker.scheduler.tick_result import TickResult

    assert list(claim_due(TickResult(), database_now)) in ([], [[]])
    assert not Run.objects.exists()


def test_each_page_and_doctor_and_why_not_say_so(copied: None, admin: Client) -> None:
    tick()
    job = a_due_job()
    [text] = explanations.why_not([JobState.objects.select_related("job").get(pk=job.pk)], database_now()).values()
    assert text.startswith(WHY) and "manage.py chroniker_adopt" in text
    for page in ("job/", "run/", "host/", "job/timeline/"):
        found = admin.get(f"/admin/chroniker/{page}").content.decode()
        assert "No job runs here." in found and WHY in found, page
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", "--timeout", "60", stdout=out)
    assert f"Nothing runs here. {WHY}" in out.getvalue()


def test_the_address_for_monitoring_fails(copied: None, client: Client) -> None:
    Ticker.objects.create(host="h", kind="beat", version="2", pid=1, period=5, pass_seconds=0.1, last_at=database_now())
    health_facts.forget()
    answer = client.get("/chroniker/healthz/scheduler")
    assert (answer.status_code, answer.json()["checks"]) == (503, {"installation": "copied"})


def test_processes_that_cannot_read_the_identity_learn_it_from_a_tick(
    copied: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick()
    monkeypatch.setattr(installation, "_identity", lambda: ("", ""))
    pause = pauses.global_pause()
    assert pause is not None and pause.is_copy and pause.since is not None


def test_what_cannot_be_read_is_no_copy(dummy: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_identity", lambda: ("", ""))
    tick()
    assert Switch.objects.get().server_identity == installation.UNKNOWN
    monkeypatch.undo()
    jump_detection.read_clock()
    assert not tick().copied
    assert Switch.objects.get().server_identity != installation.UNKNOWN, "recorded as soon as it can be read"


def test_a_process_that_cannot_read_the_identity_keeps_the_recorded_one(
    dummy: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_tick()
    before = Switch.objects.get().server_identity
    monkeypatch.setattr(installation, "_identity", lambda: ("", ""))
    tick()
    installation.record()
    assert Switch.objects.get().server_identity == before


@pytest.mark.parametrize("parts", [("server_identity", "table_identity"), ("table_identity", "server_identity")])
def test_server_and_table_that_change_one_after_the_other_are_no_copy(dummy: object, parts: tuple[str, str]) -> None:
    """A new container of the server, and weeks later a migration of the table."""
    if connection.vendor != "mysql":  # elsewhere each part alone identifies the database
        return
    first_tick()
    for part in parts:
        Switch.objects.update(**{part: "of before"})
        assert not tick().copied
        assert getattr(Switch.objects.get(), part) != "of before"


@override_settings(CHRONIKER_INSTALLATION=False)
def test_the_setting_turns_it_off(copied: None) -> None:
    assert not tick().copied and pauses.global_pause() is None


def test_a_named_environment_is_recognised_by_its_name_alone(dummy: object) -> None:
    """After a move to another server, or an upgrade, nothing has to be adopted."""
    with override_settings(CHRONIKER_INSTALLATION="production"):
        tick()
        copy_it()
        assert not tick().copied
    with override_settings(CHRONIKER_INSTALLATION="staging"):
        assert tick().copied
    with override_settings(CHRONIKER_INSTALLATION="production"):
        assert tick().copied, "until it is adopted"


def test_a_name_that_is_set_later_is_recorded_where_nothing_was_copied(dummy: object) -> None:
    first_tick()
    with override_settings(CHRONIKER_INSTALLATION="production"):
        assert not tick().copied
    assert Switch.objects.get().installation == "production"


def test_a_name_that_is_set_later_does_not_adopt_a_copy(copied: None) -> None:
    with override_settings(CHRONIKER_INSTALLATION="staging"):
        assert tick().copied


def test_other_hosts_change_nothing(dummy: object) -> None:
    first_tick()
    with override_settings(CHRONIKER_HOSTNAME="a new pod"):
        assert not tick().copied


def adopt(*words: str) -> str:
    out = io.StringIO()
    call_command("chroniker_adopt", *words, stdout=out)
    return out.getvalue()


def test_adopting_skips_what_was_due_and_raises_tokens(copied: None) -> None:
    due, queued = a_due_job(), a_booked_job(cron=NEVER)
    Switch.objects.update(server_identity="", copied_since=None)
    run = run_now(queued, by="a test")
    before = JobState.objects.get(pk=due.pk)
    copy_it()
    tick()
    assert "Adopted." in adopt("--noinput")
    assert Run.objects.get(pk=run.pk).status == Status.STOPPED
    state = JobState.objects.get(pk=due.pk)
    [skipped] = Run.objects.filter(job=due)
    assert (skipped.status, skipped.code) == (Status.SKIPPED, Code.ADOPTED)
    assert skipped.scheduled_for == before.next_instant and skipped.token == adoption.RAISE_BY + 1
    assert state.last_token == skipped.token and state.next_instant and state.next_instant > database_now()
    assert not tick().copied and pauses.global_pause() is None
    assert not Run.objects.filter(job=due, status=Status.CLAIMED).exists()
    assert AuditEntry.objects.filter(action=Action.ADOPTED).count() == 1
    assert run_now(queued, by="a test").token == run.token + adoption.RAISE_BY + 1


def test_adopting_books_what_was_edited_in_the_copy(copied: None) -> None:
    """Otherwise the state has the next time of the edited schedule and the fingerprint of the earlier one."""
    job = a_due_job()
    job.cron = NEVER
    job.save()
    adopt("--noinput")
    state = JobState.objects.get(pk=job.pk)
    assert state.booked_fingerprint == job.spec.fingerprint()
    assert state.next_instant is not None and (state.next_instant.month, state.next_instant.day) == (1, 1)
    assert list(Run.objects.filter(job=job).values_list("code", flat=True)) == [Code.EDITED]


@pytest.mark.parametrize("is_edited", [True, False])
def test_a_job_whose_time_zone_is_unknown_here_does_not_prevent_adopting(copied: None, is_edited: bool) -> None:
    """Its due times are passed over too; a host that knows the zone books the next one."""
    now = database_now()
    daily: dict[str, Any] = {"since": now - dt.timedelta(days=1), "cron": f"0 {(now.hour + 12) % 24} * * *"}
    first, job = a_booked_job(**daily), a_booked_job(**daily)
    Job.objects.filter(pk=job.pk).update(timezone="Mars/Olympus", edited_at=now if is_edited else None)
    adopt("--noinput")
    assert {run.job_id: run.code for run in Run.objects.all()} == {first.pk: Code.ADOPTED, job.pk: Code.ADOPTED}
    assert JobState.objects.get(pk=job.pk).last_token > adoption.RAISE_BY
    assert tick().claimed == []
    assert "Mars/Olympus" in JobState.objects.get(pk=job.pk).schedule_error
    Job.objects.filter(pk=job.pk).update(timezone="UTC")
    assert tick().claimed == [], "nothing of the time before the adoption runs"
    state = JobState.objects.get(pk=job.pk)
    assert state.next_instant is not None and state.next_instant > database_now()


def test_adopting_passes_over_the_activations_that_wait(copied: None) -> None:
    """Also those of a chain that ends by the adoption: its pending retry is skipped."""
    source, target = a_booked_job(cron=NEVER), a_booked_job(frequency="MANUAL", cron="")
    now = database_now()
    Activation.objects.create(target=target, instant=now, made_at=now)
    failed = Run.objects.create(
        job=source, token=1, chain=1, status="FAILED", trigger="MANUAL", origin="MANUAL",
        claimed_at=now, finished_at=now,
    )  # fmt: skip
    JobState.objects.filter(pk=source.pk).update(
        last_token=1, retry_at=now, retry_attempt=1, retry_of=1, retry_origin="MANUAL", retry_status="FAILED"
    )
    JobTrigger.objects.create(source=source, target=target, on="ENDED")
    assert adoption.waiting().missed == 2
    adopt("--noinput")
    ended = list(Activation.objects.order_by("made_at").values_list("cause", "outcome", "code"))
    assert ended == [(None, "PASSED", "ADOPTED"), (failed.pk, "PASSED", "ADOPTED")]
    assert tick().claimed == []


def test_an_activation_runs_after_the_adoption_if_requested(copied: None) -> None:
    target, now = a_booked_job(frequency="MANUAL", cron=""), database_now()
    Activation.objects.create(target=target, instant=now, made_at=now)
    adopt("--missed", "run")
    assert [run.job_id for run in tick().claimed] == [target.pk]


def test_what_is_to_run_runs_after_the_adoption(copied: None) -> None:
    due = a_due_job()
    message = Outbox.objects.create(channel="address:a@example.com", payload={}, send_at=database_now())
    adopt("--missed", "run", "--queued", "run", "--messages", "send")
    assert [run.job_id for run in tick().claimed] == [due.pk]
    assert Outbox.objects.get(pk=message.pk).send_at is not None


def test_after_an_upgrade_of_the_server_everything_continues_without_a_question(
    copied: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    due, queued = a_due_job(), a_booked_job(cron=NEVER)
    Switch.objects.update(server_identity="", copied_since=None)
    run = run_now(queued, by="a test")
    copy_it()
    message = Outbox.objects.create(channel="address:a@example.com", payload={}, send_at=database_now())
    [text] = explanations.why_not([JobState.objects.select_related("job").get(pk=due.pk)], database_now()).values()
    assert text.endswith("manage.py chroniker_adopt --moved")
    assert "Adopted." in adopt("--moved")
    assert Run.objects.get(pk=run.pk).status == Status.CLAIMED
    assert [each.job_id for each in tick().claimed] == [due.pk]
    assert Outbox.objects.get(pk=message.pk).send_at is not None


def test_a_database_that_is_no_copy_is_not_adopted_as_moved() -> None:
    job, queued = a_due_job(), a_booked_job(cron=NEVER)
    run_now(queued, by="a test")
    tick()
    before = list(JobState.objects.order_by("pk").values())
    with pytest.raises(CommandError, match="This database is no copy"):
        adopt("--moved")
    assert list(JobState.objects.order_by("pk").values()) == before and Run.objects.filter(job=job).count() == 1
    assert not AuditEntry.objects.filter(action=Action.ADOPTED).exists()


def test_unsent_messages_are_discarded_with_a_reason(copied: None) -> None:
    Outbox.objects.create(channel="address:a@example.com", payload={}, send_at=database_now())
    adopt("--noinput")
    message = Outbox.objects.get()
    assert message.send_at is None and message.error == "Discarded when this copy of the database was adopted."


def test_a_job_that_is_not_due_is_not_skipped(copied: None) -> None:
    job = a_booked_job(cron=NEVER)
    before = JobState.objects.get(pk=job.pk)
    adopt("--noinput")
    assert not Run.objects.exists()
    assert JobState.objects.get(pk=job.pk).next_instant == before.next_instant


def test_raised_tokens_do_not_delete_the_history(copied: None) -> None:
    job = a_booked_job(cron=NEVER, maximum_log_entries=3)
    adopt("--noinput")
    JobState.objects.filter(pk=job.pk).update(last_token=5)
    for token in range(1, 6):
        Run.objects.create(
            job=job, token=token, status="SUCCEEDED", trigger="MANUAL", claimed_at=database_now(),
            started_at=database_now(), finished_at=database_now(),
        )  # fmt: skip
    copy_it()
    adopt("--noinput")
    assert retention.trim([job.pk]) == 2
    assert list(Run.objects.order_by("token").values_list("token", flat=True)) == [3, 4, 5]


@pytest.mark.usefixtures("dummy")
def test_a_database_that_is_no_copy_cannot_be_adopted() -> None:
    first_tick()
    with pytest.raises(CommandError, match=r"^This database is no copy; there is nothing to adopt\.$"):
        adopt("--noinput")


def test_without_a_terminal_it_asks_for_options(copied: None, monkeypatch: pytest.MonkeyPatch) -> None:
    a_due_job()
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(CommandError) as refusal:
        adopt()
    assert str(refusal.value) == (
        "Jobs with due scheduled times, retries, activations or backfills: 1. This is no terminal: give --noinput, or "
        "an option for each answer."
    )
    assert installation.copied().exists()


def test_it_asks_on_a_terminal(copied: None, monkeypatch: pytest.MonkeyPatch) -> None:
    due, asked, answers = a_due_job(), [], iter(["what?", "r"])

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return next(answers)

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", answer)
    adopt()
    assert (
        asked[0]
        == asked[1]
        == "Jobs with due scheduled times, retries, activations or backfills: 1. skip or run? [skip] "
    )
    assert [run.job_id for run in tick().claimed] == [due.pk]


def test_without_anything_that_waits_it_asks_nothing(copied: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert adopt().startswith("Adopted.")
    assert not installation.copied().exists()


def restored_elsewhere(directory: Path) -> str:
    """A dump of the test's database, restored; its name."""
    own, name = connection.settings_dict, f"restored_{uuid.uuid4().hex[:8]}"
    if connection.vendor == "sqlite":
        path = directory / "restored.sqlite3"
        with sqlite3.connect(own["NAME"]) as source, sqlite3.connect(path) as target:
            source.backup(target)
        return str(path)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    place = ["-h", str(own["HOST"]), "-P" if connection.vendor == "mysql" else "-p", str(own["PORT"])]
    if connection.vendor == "mysql":
        server = [*place, "--protocol=tcp", "-u", str(own["USER"])]
        dump, load = ["mariadb-dump", *server, own["NAME"]], ["mariadb", *server, name]
    else:
        server = [*place, "-U", str(own["USER"])]
        dump, load = ["pg_dump", *server, own["NAME"]], ["psql", "-q", *server, name]
    sql = subprocess.run(dump, capture_output=True, check=True).stdout
    subprocess.run(load, input=sql, capture_output=True, check=True)
    return name


@pytest.fixture
def restored(manage: Manage, tmp_path: Path) -> Iterator[Manage]:
    """``manage.py`` of a project on a restored dump of this test's database, in which one job was due."""
    first = manage("cron")
    assert first.returncode == 0 and installation.recorded().exists(), first
    a_due_job(name="nightly", raw_command="true", minutes=70, cron="0 * * * *")
    name = restored_elsewhere(tmp_path)
    yield Manage({**manage.env, "CHRONIKER_TEST_DB_NAME": name}, tmp_path)
    if connection.vendor != "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")


def test_a_dump_restored_elsewhere_starts_nothing_until_it_is_adopted(manage: Manage, restored: Manage) -> None:
    """With real dumps and processes."""
    for _ in range(2):
        done = restored("cron")
        assert WHY in done.stdout and "claimed “" not in done.stdout, done
    refused = restored("run_job", "nightly")
    assert refused.returncode == 1 and WHY in refused.stderr, refused
    [job] = [json.loads(line) for line in restored("jobs", "--json").stdout.splitlines()]
    assert job["why"].startswith(WHY)
    original = manage("cron")
    assert "claimed “nightly”" in original.stdout, "the original goes on"
    adopted = restored("chroniker_adopt", "--noinput")
    assert adopted.returncode == 0, adopted
    done = restored("cron")
    assert done.returncode == 0 and WHY not in done.stdout and "claimed “" not in done.stdout, done
    assert restored("run_job", "nightly").returncode == 0


def test_a_moved_file_is_no_copy_and_a_copied_file_is(tmp_path: Path) -> None:
    first, moved, copy = (tmp_path / name for name in ("a", "b", "c"))
    first.write_text("x")
    before = installation._sqlite_identity(str(first))
    first.rename(moved)
    copy.write_text("x")
    assert installation._sqlite_identity(str(moved)) == before != installation._sqlite_identity(str(copy))
    assert installation._sqlite_identity(":memory:") == ""
