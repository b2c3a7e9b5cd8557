from __future__ import annotations

import os
from pathlib import Path

from django.apps import AppConfig


class TestAppConfig(AppConfig):
    """Management commands that do what tests want to see."""

    name = "tests.testapp"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        if safeguard := os.environ.get("CHRONIKER_TEST_WITHOUT"):
            from tests.faults import mutations

            mutations.apply(safeguard)
        if directory := os.environ.get("CHRONIKER_TEST_FAILPOINTS"):
            from tests.faults import failpoints

            failpoints.install(Path(directory))
