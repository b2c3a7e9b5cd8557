from __future__ import annotations

import pytest


@pytest.fixture
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are sent when a test asks for it, not by a thread."""
    monkeypatch.setattr("chroniker.outbox.start_sender_if_message_due", lambda: None)


@pytest.fixture
def copied(dummy: object) -> None:
    """The database is a copy of another one."""
    from tests.integration.scheduler.copies import copy_it, first_tick  # pytest may load this file before the models

    first_tick()
    copy_it()
