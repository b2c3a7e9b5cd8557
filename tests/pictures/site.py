"""Creates the database of the pictures, then serves the admin: ``python -m tests.pictures.site PORT``.

It runs in a process of its own, because its clock stands still at the same moment each time.
"""

from __future__ import annotations

import sys

import django
from django.core.management import call_command


def main(port: str) -> None:
    django.setup()
    from django.contrib.auth import get_user_model

    from chroniker.clock.database_clock import database_now
    from tests.support import shop

    call_command("migrate", verbosity=0)
    get_user_model().objects.create_superuser("admin", password="admin")
    shop.fill(database_now())
    print("ready", flush=True)
    call_command("runserver", port, use_reloader=False, insecure_serving=True, verbosity=0, use_threading=False)


if __name__ == "__main__":
    main(sys.argv[1])
