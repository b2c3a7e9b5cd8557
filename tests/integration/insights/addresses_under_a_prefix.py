"""The addresses of a project that includes them under a prefix of its own, in a namespace of its own."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("ops/<slug:site>/jobs/", include("chroniker.urls", namespace="ops"))]
