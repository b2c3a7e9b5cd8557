"""Addresses that a project includes: ``path("chroniker/", include("chroniker.urls"))``. They need no login.

Each view accepts the parameters of a prefix such as ``<slug:site>/`` and does not use them.
"""

from __future__ import annotations

from django.urls import path

from chroniker.web import health_views, metrics_views

app_name = "chroniker"

urlpatterns = [
    path("healthz/live", health_views.live, name="live"),
    path("healthz/ready", health_views.ready, name="ready"),
    path("healthz/scheduler", health_views.scheduler, name="scheduler"),
    path("metrics", metrics_views.metrics, name="metrics"),
]
