"""Numbers of rows that are counted up to a limit, so that their cost is bounded."""

from __future__ import annotations

from typing import Any

from django.db.models import IntegerField, QuerySet, Subquery


class CountUpTo(Subquery):
    """Counts the rows; if ``column`` is not the key, the different values of this column. Stops at ``limit``."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()
    empty_result_set_value = 0

    def __init__(self, rows: QuerySet[Any], limit: int, column: str = "pk") -> None:
        chosen = rows.order_by().values(column)
        super().__init__((chosen if column == "pk" else chosen.distinct())[:limit])
