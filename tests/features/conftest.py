from __future__ import annotations

from tests.integration.admin.conftest import admin, staff
from tests.integration.commands.conftest import manage

__all__ = ["admin", "manage", "staff"]
