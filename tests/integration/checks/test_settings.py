"""The settings of django-chroniker: each is accepted with its meaning, or a check says what replaces it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import InterfaceError, OperationalError, connection, connections
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle
from chroniker.checks import CHECK_TAG
from chroniker.checks.databases import check_server_is_supported
from chroniker.checks.names import OUTDATED_SETTINGS
from chroniker.checks.row_locks import check_skip_locked
from chroniker.clock.database_clock import database_now
from chroniker.conf import DEFAULTS
from chroniker.exceptions import CommandRefused
from chroniker.executors.database_report import make_run_spec
from chroniker.models import Lease, Run, Status
from chroniker.scheduler import manual_runs, tick
from chroniker.worker.run_lock import RunLock
from tests.support import ROOT
from tests.support.command_jobs import DUMMY, is_running, the_run
from tests.support.factories import a_booked_job, a_due_job, started

pytestmark = pytest.mark.django_db(transaction=True)

SETTINGS_PAGE = ROOT / "docs" / "reference" / "settings.md"

#: All settings that its last releases, 1.0.24 and 1.1.0, read.
ANCESTORS = (
    "CHRONIKER_AUTO_END_STALE_JOBS",
    "CHRONIKER_CHECK_LOCK_FILE",
    "CHRONIKER_DISABLE_RAW_COMMAND",
    "CHRONIKER_EMAIL_HOST_USER",
    "CHRONIKER_EMAIL_SENDER",
    "CHRONIKER_EMAIL_SUBJECT_ERROR",
    "CHRONIKER_EMAIL_SUBJECT_SUCCESS",
    "CHRONIKER_JOB_ERROR_CALLBACK",
    "CHRONIKER_JOB_NK",
    "CHRONIKER_KILL_GRACE_SECONDS",
    "CHRONIKER_LOCK_TIMEOUT",
    "CHRONIKER_LOG_FORMAT",
    "CHRONIKER_PID_FN",
    "CHRONIKER_SELECT_FOR_UPDATE",
    "CHRONIKER_STALE_MINUTES",
    "CHRONIKER_USE_PID",
)


# -- CHRONIKER_SELECT_FOR_UPDATE -------------------------------------------------------------------------------


def statements_of_a_claim() -> str:
    job = a_due_job()
    with CaptureQueriesContext(connection) as queries, override_settings(CHRONIKER_EXECUTORS=DUMMY):
        tick.tick()
    assert the_run(job).status == Status.CLAIMED
    return "\n".join(query["sql"] for query in queries)


@pytest.mark.database("postgres", "mariadb")
def test_with_select_for_update_claims_lock_rows_and_skip_locked_rows() -> None:
    assert "SKIP LOCKED" in statements_of_a_claim()


@pytest.mark.database("postgres", "mariadb")
def test_without_select_for_update_claims_lock_rows_and_wait_for_locked_rows() -> None:
    with override_settings(CHRONIKER_SELECT_FOR_UPDATE=False):
        statements = statements_of_a_claim()
        [message] = run_checks(tags=[CHECK_TAG])
    assert "FOR UPDATE" in statements.replace("NO KEY ", "") and "SKIP LOCKED" not in statements
    assert message.id == "chroniker.W008" and "still lock their rows" in message.msg


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("value", [True, False])
def test_a_check_explains_select_for_update_on_sqlite(value: bool) -> None:
    with override_settings(CHRONIKER_SELECT_FOR_UPDATE=value):
        assert "FOR UPDATE" not in statements_of_a_claim()
        [message] = run_checks(tags=[CHECK_TAG])
    assert message.id == "chroniker.W008" and "BEGIN IMMEDIATE" in message.msg


def test_a_check_reports_that_ticks_wait_on_a_server_without_skip_locked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "vendor", "mysql")
    monkeypatch.setattr(connection.features, "has_select_for_update_skip_locked", False)
    assert check_skip_locked(databases=[]) == []
    [message] = check_skip_locked(databases=["default"])
    assert message.id == "chroniker.W009"
    with override_settings(CHRONIKER_SELECT_FOR_UPDATE=False):
        assert check_skip_locked(databases=["default"]) == []


@pytest.mark.parametrize(("is_mariadb", "expected"), [(True, []), (False, ["chroniker.E008"])])
def test_a_mysql_server_is_refused_and_mariadb_is_not(
    monkeypatch: pytest.MonkeyPatch, is_mariadb: bool, expected: list[str]
) -> None:
    monkeypatch.setattr(connection, "vendor", "mysql")
    monkeypatch.setattr(connection, "mysql_is_mariadb", is_mariadb, raising=False)
    assert check_server_is_supported(databases=[]) == []
    assert [message.id for message in check_server_is_supported(databases=["default"])] == expected


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
@pytest.mark.parametrize("check", [check_server_is_supported, check_skip_locked])
def test_checks_of_the_server_report_nothing_if_it_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, check: Callable[..., list[Any]], error: type[Exception]
) -> None:
    def refuse(_self: Any) -> bool:
        raise error("no answer")

    monkeypatch.setattr(connection, "vendor", "mysql")
    monkeypatch.setattr(type(connections["default"]), "mysql_is_mariadb", property(refuse), raising=False)
    monkeypatch.setattr(type(connection.features), "has_select_for_update_skip_locked", property(refuse))
    assert check(databases=["default"]) == []


# -- the others ------------------------------------------------------------------------------------------------


def test_check_lock_file_detects_a_dead_run_at_once(tmp_path: Path) -> None:
    mine = override_settings(
        CHRONIKER_CHECK_LOCK_FILE=True, CHRONIKER_RUNTIME_DIR=tmp_path, CHRONIKER_HOSTNAME="here",
        CHRONIKER_EXECUTORS=DUMMY, CHRONIKER_LOCK_TIMEOUT=86_400,
    )  # fmt: skip
    with mine:
        run = manual_runs.run_now(a_booked_job(cron="0 0 1 1 *"), "a test")
        started(run, host="here")
        lock = RunLock.take(tmp_path, run.pk)
        assert lock is not None
        tick.tick()
        assert is_running(run.job)
        lock.__exit__(RuntimeError)  # as the kernel does it: the lock is free, and its file is still there
        tick.tick()
    assert the_run(run.job).status == Status.LOST


def test_lock_timeout_sets_the_length_of_the_lease() -> None:
    with override_settings(CHRONIKER_LOCK_TIMEOUT=1234, CHRONIKER_EXECUTORS=DUMMY):
        run = manual_runs.run_now(a_booked_job(), "a test")
        before = database_now()
        nonce = started(run)
        lifecycle.renew(run.pk, run.token, nonce, None)
        after = database_now()
    length = dt.timedelta(seconds=1234)
    assert before + length <= Lease.objects.get(pk=run.pk).expires_at <= after + length


def test_disable_raw_command_applies_when_a_job_is_saved_and_executed() -> None:
    job = a_booked_job(command="", raw_command="true")
    run = Run(pk=uuid4(), job=job, token=1)
    job.full_clean()
    make_run_spec(run, job, stop_requested=False)
    with override_settings(CHRONIKER_DISABLE_RAW_COMMAND=True):
        with pytest.raises(ValidationError, match="CHRONIKER_DISABLE_RAW_COMMAND"):
            job.full_clean()
        with pytest.raises(CommandRefused, match="CHRONIKER_DISABLE_RAW_COMMAND"):
            make_run_spec(run, job, stop_requested=False)


def test_stale_minutes_is_refused_by_a_check_that_names_the_lease() -> None:
    with override_settings(CHRONIKER_STALE_MINUTES=5):
        [message] = run_checks(tags=[CHECK_TAG])
    assert message.id == "chroniker.W002" and message.hint and "CHRONIKER_LOCK_TIMEOUT" in message.hint


@pytest.mark.parametrize("name", ANCESTORS)
def test_each_setting_of_django_chroniker_is_read_or_reported_with_its_replacement(name: str) -> None:
    assert (name in DEFAULTS) != (name in OUTDATED_SETTINGS)
    [row] = [
        line for line in SETTINGS_PAGE.read_text().split("## Coming from")[1].splitlines() if f"| `{name}`" in line
    ]
    assert ("no longer read" in row) == (name in OUTDATED_SETTINGS)


def test_valid_settings_of_django_chroniker_pass_every_check() -> None:
    kept = {"CHRONIKER_USE_PID": True, "CHRONIKER_LOCK_TIMEOUT": 60, "CHRONIKER_DISABLE_RAW_COMMAND": False}
    with override_settings(**kept):
        call_command("check", "--tag", CHECK_TAG, "--fail-level", "WARNING")
