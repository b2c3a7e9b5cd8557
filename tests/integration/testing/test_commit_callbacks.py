"""Callbacks of ``transaction.on_commit`` within a test run when only the transactions of the test are open."""

from __future__ import annotations

import pytest
from django.db import transaction

from chroniker.testing.commits import run_commit_callbacks

pytestmark = pytest.mark.django_db


def fail() -> None:
    raise LookupError("no such shop")


def test_callbacks_run_at_once_or_at_the_end_of_their_transaction() -> None:
    called: list[str] = []
    transaction.on_commit(lambda: called.append("registered before"))
    with run_commit_callbacks("default"):
        transaction.on_commit(lambda: called.append("outside"))
        assert called == ["outside"]
        with transaction.atomic():
            transaction.on_commit(lambda: called.append("inside"))
            assert called == ["outside"]
        assert called == ["outside", "inside"]
    transaction.on_commit(lambda: called.append("registered after"))
    assert called == ["outside", "inside"]


def test_the_error_of_a_callback_is_raised_or_logged_as_after_a_real_commit(caplog: pytest.LogCaptureFixture) -> None:
    called: list[str] = []
    with run_commit_callbacks("default"):
        with pytest.raises(LookupError), transaction.atomic():
            transaction.on_commit(fail)
        assert "A callback of on_commit failed." not in caplog.text
        with transaction.atomic():
            transaction.on_commit(fail, robust=True)
            transaction.on_commit(lambda: called.append("the next one"))
    assert called == ["the next one"]
    assert "A callback of on_commit failed." in caplog.text and "no such shop" in caplog.text


def test_within_another_transaction_it_is_refused() -> None:
    with (
        transaction.atomic(),
        pytest.raises(RuntimeError, match=r"leave transaction\.atomic"),
        run_commit_callbacks("default"),
    ):
        pass
