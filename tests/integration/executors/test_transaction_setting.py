"""A setting for the transactions of a block: each of them has it, the session does not."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from chroniker.executors.transaction_setting import use_asynchronous_commit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database("postgres")]


def setting() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('synchronous_commit')")
        [value] = cursor.fetchone()
    return str(value)


def test_no_transaction_of_the_block_waits_for_the_disk() -> None:
    before = setting()
    with use_asynchronous_commit("default"):
        assert setting() == "off"
        for _each in range(2):
            with transaction.atomic():
                assert [setting(), setting()] == ["off", "off"]
    assert setting() == before != "off"


def test_a_transaction_of_the_caller_waits_for_the_disk() -> None:
    with transaction.atomic(), use_asynchronous_commit("default"):
        assert setting() != "off"
