from __future__ import annotations

from django.apps import AppConfig


class TestAppConfig(AppConfig):
    """Management commands that do what tests want to see."""

    name = "tests.testapp"
