"""The addresses for load balancers and monitoring: whether process, database and scheduler work. No names, no secrets.

They need no login. Status 200: all is well; 503: not.
"""

from __future__ import annotations

import threading
import time

from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from chroniker.conf import settings
from chroniker.executors.statement_limit import statement_limit
from chroniker.insights import health_facts, scheduler_health
from chroniker.models import installation

#: The database has to answer within this time.
LIMIT_SECONDS = 2.0
#: Whether the migrations are applied is read again after this time.
MIGRATIONS_SECONDS = 30.0

_lock = threading.Lock()
_migrations: tuple[float, bool] | None = None


@never_cache
@require_safe
def live(request: HttpRequest, **prefix: object) -> HttpResponse:
    """The process answers. Reads nothing."""
    return _failures_response({})


@never_cache
@require_safe
def ready(request: HttpRequest, **prefix: object) -> HttpResponse:
    """The database answers, and the migrations are applied."""
    try:
        with statement_limit(settings.database, LIMIT_SECONDS), connections[settings.database].cursor() as cursor:
            cursor.execute("SELECT 1")
        return _failures_response({} if _migrations_are_applied() else {"migrations": "missing"})
    except Exception:  # of any driver: whatever it is, the database cannot be used
        return _failures_response({"database": "failing"})


@never_cache
@require_safe
def scheduler(request: HttpRequest, **prefix: object) -> HttpResponse:
    """Something ticks, each queue has a worker, and no job is due for long. Read at most every 3 s per process."""
    facts = health_facts.cached_facts(timezone.now())
    if facts is None:
        return _failures_response({"database": "failing"})
    try:
        copied = installation.row_of_copy().exists()
    except Exception:  # of any driver
        return _failures_response({"database": "failing"})
    return _failures_response(
        {"installation": "copied"} if copied else scheduler_health.failure_codes(facts, timezone.now())
    )


def _failures_response(failures: dict[str, str]) -> HttpResponse:
    if failures:
        return JsonResponse({"status": "failing", "checks": failures}, status=503)
    return JsonResponse({"status": "ok"})


def _migrations_are_applied() -> bool:
    global _migrations
    with _lock:
        if _migrations is None or time.monotonic() - _migrations[0] > MIGRATIONS_SECONDS:
            executor = MigrationExecutor(connections[settings.database])
            leaves = [node for node in executor.loader.graph.leaf_nodes() if node[0] == "chroniker"]
            _migrations = (time.monotonic(), not executor.migration_plan(leaves))
        return _migrations[1]
