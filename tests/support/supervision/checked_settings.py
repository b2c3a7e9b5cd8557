"""A project that counts how often its system checks run, and can make them fail."""

import os
from pathlib import Path

from django.core.checks import CheckMessage, Error, register

SECRET_KEY = "for tests only"
USE_TZ = True
INSTALLED_APPS = ["tests.testapp"]


@register
def counted(**kwargs: object) -> list[CheckMessage]:
    directory = Path(os.environ["CHRONIKER_TEST_CHECKED"])
    with (directory / "checked").open("a") as file:
        file.write("x")
    return [Error("the roof leaks", id="tests.E001")] if (directory / "unsound").exists() else []
