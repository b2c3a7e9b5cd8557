from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import postoffice
from tests.integration.admin.conftest import admin, staff
from tests.integration.lifecycle.conftest import dummy

__all__ = ["admin", "dummy", "staff"]


@pytest.fixture
def mail_server() -> Iterator[postoffice.MailServer]:
    with postoffice.mail_server() as server:
        yield server
