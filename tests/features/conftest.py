from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import postoffice
from tests.integration.admin.conftest import admin, staff
from tests.integration.commands.conftest import manage
from tests.integration.declared.conftest import Shop, shop

__all__ = ["Shop", "admin", "manage", "shop", "staff"]


@pytest.fixture
def mail_server() -> Iterator[postoffice.MailServer]:
    """A real one, which gets the mails of the test."""
    with postoffice.mail_server() as server:
        yield server


@pytest.fixture
def web_server() -> Iterator[postoffice.WebServer]:
    """A real one, on a port of its own."""
    with postoffice.web_server() as server:
        yield server
