"""CHRONIKER_COMMAND_SETUP: whether the processes that run commands can set up the project as this one did."""

from __future__ import annotations

import importlib
import os
from typing import Any

from django.conf import UserSettingsHolder, global_settings
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning

from chroniker.conf import settings

COMMAND_SETUP_HINT = 'Name a module, or a function of it: CHRONIKER_COMMAND_SETUP = "project.startup:configure".'


def check_project_setup(**kwargs: Any) -> list[CheckMessage]:
    """Reports E013, W012."""
    path: object = settings.command_setup  # may be of a wrong type
    if path is None:
        return _check_command_setup_is_set()
    if not isinstance(path, str):
        return []  # E006
    module, _colon, name = path.partition(":")
    try:
        loaded = importlib.import_module(module)
        if name and not callable(getattr(loaded, name)):
            raise TypeError(f"{name} is not callable")
    except Exception as error:  # any exception of the project's module
        return [
            Error(
                f"CHRONIKER_COMMAND_SETUP = {path!r} cannot be loaded: {error}",
                hint=COMMAND_SETUP_HINT,
                id="chroniker.E013",
            )
        ]
    return []


def _check_command_setup_is_set() -> list[CheckMessage]:
    if "DJANGO_CONFIGURATION" in os.environ:
        cause, example = "django-configurations loads the settings", "configurations:setup"
    elif _were_settings_made_by_configure():
        cause, example = "settings.configure() made the settings", "project.startup:configure"
    else:
        return []
    return [
        Warning(
            f"{cause}, and processes that run commands do not repeat that: every run will fail.",
            hint=f'Set CHRONIKER_COMMAND_SETUP to what they must load first, for example "{example}".',
            id="chroniker.W012",
        )
    ]


def _were_settings_made_by_configure() -> bool:
    holder: Any = vars(django_settings)["_wrapped"]
    while isinstance(holder, UserSettingsHolder):  # override_settings wraps the settings, too
        holder = holder.default_settings
    return holder is global_settings
