from __future__ import annotations

from tests.features.conftest import mail_server, web_server
from tests.integration.admin.conftest import admin, dummy, staff
from tests.integration.commands.conftest import manage
from tests.integration.declared.conftest import shop

__all__ = ["admin", "dummy", "mail_server", "manage", "shop", "staff", "web_server"]
