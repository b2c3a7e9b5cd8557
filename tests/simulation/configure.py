"""Configures Django for the simulation. Must come before any import of the product."""

from __future__ import annotations

import importlib.util
import logging
import warnings


def configure(*, postgres: bool = False) -> None:
    from django.conf import settings

    from tests.simulation import database

    on_celery = ["chroniker_celery"] if importlib.util.find_spec("celery") else []  # for the scene of its table
    settings.configure(
        SECRET_KEY="for the simulation only",
        USE_TZ=True,
        TIME_ZONE="UTC",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "chroniker", *on_celery],
        DATABASES={"default": database.use_postgres() if postgres else database.SQLITE},
        CHRONIKER_EXECUTORS={"default": {"BACKEND": "tests.simulation.actors.BrokerExecutor"}},
        CHRONIKER_SYNC_JOBS=False,
    )
    import django

    django.setup()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    from tests.simulation import seams
    from tests.simulation.world import World, activate

    activate(World(0))
    seams.install()
    database.prepare()
