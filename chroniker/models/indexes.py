"""Indexes that leave out the rows without a value."""

from __future__ import annotations

from typing import Any

from django.db import models


class SparseIndex(models.Index):
    """An index on one column that is empty in most rows. PostgreSQL and SQLite leave these rows out, so that their
    updates do not change the index. MariaDB and MySQL have no such indexes; theirs contains all rows.

    Django's ``condition`` does the same, but warns on MariaDB and MySQL.
    """

    def _get_condition_sql(self, model: Any, schema_editor: Any) -> str | None:
        if not schema_editor.connection.features.supports_partial_indexes:
            return None
        return f"{schema_editor.quote_name(model._meta.get_field(self.fields[0]).column)} IS NOT NULL"
