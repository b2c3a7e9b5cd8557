"""How many rows a statement reads on PostgreSQL, by its executed plan."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection


def rows_read(sql: str) -> Counter[str]:
    """By table: the rows that this statement takes from the table or one of its indexes, also those it drops then."""
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + sql)
        plan = cursor.fetchone()[0]
    found: Counter[str] = Counter()
    for node in nodes(json.loads(plan) if isinstance(plan, str) else plan):
        if table := node.get("Relation Name"):  # a search of an index for a bitmap names the index alone
            found[table] += round(_rows(node) * node["Actual Loops"])
    return found


def _rows(node: Mapping[str, Any]) -> int:
    dropped = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    return int(node["Actual Rows"] + sum(node.get(name, 0) for name in dropped))


def nodes(plan: Any, *, subplans: bool = True) -> Iterable[Mapping[str, Any]]:
    """All nodes of a plan. ``subplans``: also those of subplans, which PostgreSQL does not join with the others."""
    if isinstance(plan, list):
        for part in plan:
            yield from nodes(part, subplans=subplans)
        return
    if not subplans and plan.get("Parent Relationship") == "SubPlan":
        return
    if "Node Type" in plan:
        yield plan
    for key in ("Plan", "Plans"):
        yield from nodes(plan.get(key, []), subplans=subplans)


def is_query(sql: str) -> bool:
    return sql.lstrip("( ").upper().startswith(("SELECT", "WITH"))
