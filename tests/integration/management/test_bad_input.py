"""Invalid input gives a message with the error and a valid form, and no traceback."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command, load_command_class
from django.test import override_settings

from chroniker.models import Run
from tests.support import databases
from tests.support.factories import a_job
from tests.support.manage import Manage


def refused(*words: str) -> str:
    with pytest.raises(CommandError) as caught:
        call_command(*words)
    return str(caught.value)


@pytest.mark.django_db
@pytest.mark.parametrize("words", [("cron", "--jobs", "import date"), ("run_job", "import date")])
def test_the_error_for_an_unknown_job_suggests_the_nearest_name(words: tuple[str, ...]) -> None:
    a_job(name="import data")
    assert refused(*words) == "There is no job with the name or id “import date”. Did you mean “import data”?"


@pytest.mark.django_db
def test_an_id_out_of_range_is_an_unknown_job() -> None:
    a_job()
    assert "There is no job with the name or id" in refused("run_job", "9" * 40)


@pytest.mark.django_db
def test_no_name_is_suggested_if_there_are_no_jobs() -> None:
    assert "There are no jobs yet" in refused("run_job", "anything")


@pytest.mark.django_db
def test_one_unknown_job_among_several_claims_none() -> None:
    a_job(name="known", force_run=True)
    assert "“unknown”" in refused("cron", "--force-run", "--jobs", "known", "unknown")
    assert not Run.objects.exists()


def test_force_run_without_jobs_is_refused() -> None:
    assert "--jobs" in refused("cron", "--force-run")


@pytest.mark.parametrize("words", [("0",), ("--", "-5"), ("nan",), ("inf",), ("--drain", "-1"), ("--drain", "nan")])
def test_invalid_seconds_are_refused(words: tuple[str, ...]) -> None:
    assert "give seconds" in refused("cronserver", *words)


@pytest.mark.django_db
@pytest.mark.parametrize("words", [("alerts",), ("ledger", "known")])
def test_an_invalid_number_of_rows_is_refused(words: tuple[str, ...]) -> None:
    a_job(name="known")
    for number in ("-1", "1.5", "many"):
        assert "is not a number of rows" in refused(*words, "--limit", number)
    call_command(*words, "--limit", "9" * 30)


def test_invalid_settings_are_reported_before_any_work() -> None:
    from django.core.management.base import SystemCheckError

    with override_settings(CHRONIKER_HEARTBEAT_MISSES="six"), pytest.raises(SystemCheckError, match=r"chroniker\.E006"):
        call_command("cron", skip_checks=False)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("words", [("cron",), ("run_job", "a job")])
def test_without_a_database_there_is_a_message_and_no_traceback(manage: Manage, words: tuple[str, ...]) -> None:
    away = {**databases.configuration(), "HOST": "127.0.0.1", "PORT": "1"}
    if databases.chosen() == "sqlite":
        away = {**databases.configuration(), "NAME": "/nonexistent/db.sqlite3"}
    done = manage.having(DATABASES={"default": away})(*words)
    assert done.returncode == 1
    assert "The database cannot be used" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.django_db(transaction=True)
def test_with_traceback_the_cause_is_shown(manage: Manage) -> None:
    away = {**databases.configuration(), "NAME": "/nonexistent/db.sqlite3"}
    done = manage.having(DATABASES={"default": away})("cron", "--traceback")
    assert done.returncode == 1
    assert "Traceback" in done.stderr and "OperationalError" in done.stderr


@pytest.mark.parametrize("name", ["cron", "cronserver", "run_job"])
def test_the_help_describes_the_signals(name: str) -> None:
    command = load_command_class("chroniker", name)
    assert "SIGTERM" in command.create_parser("manage.py", name).format_help()
