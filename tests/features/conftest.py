from __future__ import annotations

from tests.integration.admin.conftest import admin, staff
from tests.integration.commands.conftest import manage
from tests.integration.declared.conftest import Shop, shop

__all__ = ["Shop", "admin", "manage", "shop", "staff"]
