"""The addresses that tell load balancers and monitoring whether the process, the database and the scheduler work.

They need no login, and the answers contain no names and no secrets. Status 200: it works; 503: it does not.
"""

from __future__ import annotations

from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from chroniker.conf import settings
from chroniker.executors.statement_limit import limit_statement_time
from chroniker.insights import health_facts, scheduler_health
from chroniker.insights.timed_cache import TimedCache
from chroniker.models import installation

#: The database must answer within this time.
DATABASE_TIMEOUT_SECONDS = 2.0
#: After this time the next request reads again whether the migrations are applied.
MIGRATIONS_CACHE_SECONDS = 30.0

_migrations: TimedCache[bool] = TimedCache()


@never_cache
@require_safe
def live_view(request: HttpRequest, **prefix_values: object) -> HttpResponse:
    """Answer that the process works. Reads nothing."""
    return _health_response({})


@never_cache
@require_safe
def ready_view(request: HttpRequest, **prefix_values: object) -> HttpResponse:
    """Answer whether the database works, and whether the migrations are applied."""
    try:
        with (
            limit_statement_time(settings.database, DATABASE_TIMEOUT_SECONDS),
            connections[settings.database].cursor() as cursor,
        ):
            cursor.execute("SELECT 1")
        return _health_response(
            {} if _migrations.get(MIGRATIONS_CACHE_SECONDS, _are_migrations_applied) else {"migrations": "missing"}
        )
    except Exception:  # of any driver: each means that the database cannot be used
        return _health_response({"database": "failing"})


@never_cache
@require_safe
def scheduler_health_view(request: HttpRequest, **prefix_values: object) -> HttpResponse:
    """Answer whether something ticks, each queue has a worker, and no job is overdue.

    Each process reads these facts at most every 3 s.
    """
    facts = health_facts.get_cached_health_facts(timezone.now())
    if facts is None:
        return _health_response({"database": "failing"})
    try:
        copied = installation.select_switch_if_copied().exists()
    except Exception:  # of any driver
        return _health_response({"database": "failing"})
    return _health_response(
        {"installation": "copied"} if copied else scheduler_health.failure_codes(facts, timezone.now())
    )


def _health_response(failures: dict[str, str]) -> HttpResponse:
    if failures:
        return JsonResponse({"status": "failing", "checks": failures}, status=503)
    return JsonResponse({"status": "ok"})


def _are_migrations_applied() -> bool:
    executor = MigrationExecutor(connections[settings.database])
    leaves = [node for node in executor.loader.graph.leaf_nodes() if node[0] == "chroniker"]
    return not executor.migration_plan(leaves)
