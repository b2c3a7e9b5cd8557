"""Configures Django for the simulation. Must come before any import of the product."""

from __future__ import annotations

import logging
import warnings


def configure() -> None:
    from django.conf import settings

    settings.configure(
        SECRET_KEY="for the simulation only",
        USE_TZ=True,
        TIME_ZONE="UTC",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "chroniker"],
        DATABASES={
            "default": {
                "ENGINE": "tests.simulation.backend",
                "NAME": ":memory:",
                "OPTIONS": {"transaction_mode": "IMMEDIATE"},
            }
        },
        CHRONIKER_EXECUTORS={"default": {"BACKEND": "tests.simulation.actors.BrokerExecutor"}},
        CHRONIKER_SYNC_JOBS=False,
    )
    import django

    django.setup()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    from tests.simulation import database, seams
    from tests.simulation.world import World, activate

    activate(World(0))
    seams.install()
    database.prepare()
