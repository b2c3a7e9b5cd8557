"""Try the distribution with the extras that are installed here. ``tox -e extra-NAME`` runs it with one.

Each requirement of these extras must be installed in a version that setup.py allows; a new project with the database of
the extra passes Django's checks; ``chroniker.testing`` can be imported.
"""

from __future__ import annotations

import sys
from importlib.metadata import requires, version

import django
from django.conf import settings
from django.core.management import call_command
from packaging.requirements import Requirement

ENGINES = {"postgres": "postgresql", "mysql": "mysql"}


def main(extras: list[str]) -> None:
    for text in requires("django-chroniker-celery") or []:
        requirement = Requirement(text)
        if any(requirement.marker is None or requirement.marker.evaluate({"extra": each}) for each in ["", *extras]):
            installed = version(requirement.name)
            assert requirement.specifier.contains(installed, prereleases=True), (
                f"{requirement}, and {installed} is here"
            )
    engine = next((ENGINES[each] for each in extras if each in ENGINES), "sqlite3")
    if engine == "mysql":
        import pymysql

        pymysql.install_as_MySQLdb()
    apps = [
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "chroniker",
        "chroniker_celery",
        "django_celery_results",
    ]
    database = {"ENGINE": f"django.db.backends.{engine}", "NAME": "x"}
    settings.configure(
        INSTALLED_APPS=apps,
        DATABASES={"default": database},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
    )
    django.setup()
    call_command("check")
    import chroniker.testing  # noqa: F401

    print(f"{' '.join(extras) or 'no extra'}: Django {django.__version__}, {engine}")


if __name__ == "__main__":
    main(sys.argv[1:])
