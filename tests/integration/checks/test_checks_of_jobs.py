from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.test import override_settings

from chroniker.checks import CHECK_TAG
from chroniker.checks.jobs import MAX_NAMES_PER_MESSAGE
from chroniker.clock.database_clock import database_now
from chroniker.models import Host
from tests.support.factories import a_job

pytestmark = pytest.mark.django_db


def problems(**settings: Any) -> list[CheckMessage]:
    with override_settings(**settings):
        return run_checks(tags=[CHECK_TAG], databases=["default"])


def test_jobs_that_can_run_have_no_message() -> None:
    a_job()
    assert problems() == []


def test_an_executor_without_a_name_is_reported_once() -> None:
    backend = {"BACKEND": "chroniker.executors.local.LocalExecutor"}
    assert [each.id for each in problems(CHRONIKER_EXECUTORS={"default": backend, 7: backend})] == ["chroniker.E002"]


def test_an_unknown_executor_is_named_with_its_jobs() -> None:
    a_job(name="one", executor="nowhere")
    a_job(name="two", executor="nowhere")
    [message] = problems()
    assert message.id == "chroniker.W006"
    assert "nowhere" in message.msg and "“one”, “two”" in message.msg


def test_an_unknown_command_is_named_with_its_jobs() -> None:
    a_job(name="gone", command="sleep_fo")
    [message] = problems()
    assert message.id == "chroniker.W007"
    assert "“gone”" in message.msg and "sleep_for" in message.msg


def test_a_command_that_is_no_longer_allowed_is_named_with_its_jobs() -> None:
    a_job(name="was allowed")
    [message] = problems(CHRONIKER_COMMANDS=["other"])
    assert message.id == "chroniker.W007"


def test_jobs_with_disabled_raw_commands_are_named() -> None:
    a_job(name="raw", command="", raw_command="true")
    assert problems() == []
    [message] = problems(CHRONIKER_DISABLE_RAW_COMMAND=True)
    assert message.id == "chroniker.W007"


def test_disabled_jobs_are_ignored() -> None:
    a_job(executor="nowhere", command="no such", enabled=False)
    assert problems() == []


def test_a_message_names_a_limited_number_of_jobs() -> None:
    for number in range(MAX_NAMES_PER_MESSAGE + 1):
        a_job(name=f"job {number:02}", executor="nowhere")
    [message] = problems()
    assert message.msg.count("“job") == MAX_NAMES_PER_MESSAGE
    assert "and others" in message.msg


def test_without_databases_no_query_is_sent() -> None:
    a_job(executor="nowhere")
    assert run_checks(tags=[CHECK_TAG], databases=[]) == []


@pytest.mark.parametrize("skew", [-90.0, 2.5])
def test_a_live_host_with_a_wrong_clock_is_named(skew: float) -> None:
    Host.objects.create(name="wrong", last_seen=database_now(), clock_skew_seconds=skew)
    Host.objects.create(name="right", last_seen=database_now(), clock_skew_seconds=1.9)
    Host.objects.create(name="gone", last_seen=database_now() - dt.timedelta(hours=1), clock_skew_seconds=90)
    [message] = problems()
    assert message.id == "chroniker.W011"
    assert f"“wrong” differs from the database's clock by {skew:+.1f} s." in message.msg
