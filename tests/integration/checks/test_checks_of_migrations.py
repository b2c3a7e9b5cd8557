"""A database that an unreleased version migrated is reported, with what to do."""

from __future__ import annotations

import pytest
from django.core.checks import CheckMessage, run_checks
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from chroniker.checks import CHECK_TAG

pytestmark = pytest.mark.django_db


def problems() -> list[CheckMessage]:
    return run_checks(tags=[CHECK_TAG], databases=["default"])


def test_a_database_of_this_version_has_no_message() -> None:
    assert problems() == []


def test_a_database_of_an_unreleased_version_needs_replacing() -> None:
    MigrationRecorder(connection).record_applied("chroniker", "0101_features")
    [message] = problems()
    assert message.id == "chroniker.E012"
    assert "0101_features is recorded" in message.msg
    assert message.hint and "Make a new database" in message.hint


def test_a_migration_of_this_name_in_another_app_is_not_reported() -> None:
    MigrationRecorder(connection).record_applied("shop", "0101_features")
    assert problems() == []
