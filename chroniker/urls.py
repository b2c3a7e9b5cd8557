"""Addresses that a project includes: ``path("chroniker/", include("chroniker.urls"))``. They need no login.

Each view accepts the parameters of a prefix such as ``<slug:site>/`` and does not use them.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import connections, transaction
from django.http import HttpResponse
from django.urls import path

from chroniker.web import health_views, metrics_views

app_name = "chroniker"


def _disable_atomic_requests(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The view without ``ATOMIC_REQUESTS``. With it, Django waits for a database without a limit before the view."""
    for alias in connections:
        view = transaction.non_atomic_requests(alias)(view)
    return view


urlpatterns = [
    path("healthz/live", _disable_atomic_requests(health_views.live_view), name="live"),
    path("healthz/ready", _disable_atomic_requests(health_views.ready_view), name="ready"),
    path("healthz/scheduler", _disable_atomic_requests(health_views.scheduler_health_view), name="scheduler"),
    path("metrics", _disable_atomic_requests(metrics_views.metrics_view), name="metrics"),
]
