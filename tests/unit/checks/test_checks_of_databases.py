from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connections

from chroniker.checks.databases import SQLITE_OPTIONS, missing_sqlite_options
from tests.unit.checks.check_messages import be_of_kind, only, problems

SQLITE: dict[str, Any] = json.loads("{" + SQLITE_OPTIONS + "}")["OPTIONS"]


def test_the_message_for_sqlite_shows_the_missing_options(monkeypatch: pytest.MonkeyPatch) -> None:
    be_of_kind("sqlite", monkeypatch)
    monkeypatch.setitem(connections["default"].settings_dict, "OPTIONS", {})
    message = only(CHRONIKER_CHECK_LOCK_FILE=True)
    assert message.id == "chroniker.W003"
    assert message.hint and SQLITE_OPTIONS in message.hint


def test_sqlite_without_lock_files_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    be_of_kind("sqlite", monkeypatch)
    monkeypatch.setitem(connections["default"].settings_dict, "OPTIONS", SQLITE)
    assert only(CHRONIKER_CHECK_LOCK_FILE=False).id == "chroniker.W005"


@pytest.mark.parametrize("vendor", ["postgresql", "mysql"])
def test_lock_files_with_a_database_server_are_a_warning(vendor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    be_of_kind(vendor, monkeypatch)
    assert only(CHRONIKER_CHECK_LOCK_FILE=True).id == "chroniker.W004"
    assert problems(CHRONIKER_CHECK_LOCK_FILE=False) == []


def test_the_options_in_the_hint_pass_the_check() -> None:
    assert missing_sqlite_options(SQLITE) == []


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({}, 3),
        ({"timeout": 20}, 2),
        ({"timeout": 5, "transaction_mode": "IMMEDIATE", "init_command": "pragma journal_mode = wal"}, 1),
        ({"transaction_mode": "immediate", "init_command": "PRAGMA journal_mode=WAL; PRAGMA busy_timeout=10000"}, 0),
        ({"timeout": "20", "transaction_mode": None, "init_command": None}, 3),
        ({"timeout": 20, "transaction_mode": "EXCLUSIVE", "init_command": "PRAGMA journal_mode='wal'"}, 0),
    ],
)
def test_missing_sqlite_options_are_found(options: dict[str, Any], missing: int) -> None:
    assert len(missing_sqlite_options(options)) == missing


def test_an_unsupported_database_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    be_of_kind("oracle", monkeypatch)
    message = only()
    assert message.id == "chroniker.E008"
    assert "oracle" in message.msg


def test_no_check_connects_to_the_database() -> None:
    """pytest-django refuses connections here."""
    assert not django_settings.DEBUG and problems() == []
