"""What a report is about: the versions of all that took part, and the machine."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from tests.faults.environment import Environment

PACKAGES = ("django-chroniker-celery", "Django", "celery", "kombu", "psycopg", "PyMySQL", "redis")


def of_all(environment: Environment) -> dict[str, str]:
    from django.db import connection

    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    numbers = connection.get_database_version()
    found[connection.display_name] = ".".join(str(each) for each in numbers)
    found["broker"] = environment.broker.name
    found["machine"] = f"{platform.system()} {platform.release()}, {os.cpu_count()} processors"
    return found
