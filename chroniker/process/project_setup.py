"""Set-up of projects whose settings are not loaded by ``DJANGO_SETTINGS_MODULE`` alone."""

from __future__ import annotations

import importlib
import os

#: Set by the app ``chroniker`` from the setting of this name, and inherited by the processes that run commands.
VARIABLE = "CHRONIKER_COMMAND_SETUP"

_done = False


def load() -> None:
    """Import the module, or call the function, that the variable names: ``package.module`` or ``package.module:name``.

    Once per process and its forks, before Django is set up. Raises the errors of the import or the call.
    """
    global _done
    path = os.environ.get(VARIABLE, "")
    if _done or not path:
        return
    _done = True
    module, _colon, name = path.partition(":")
    loaded = importlib.import_module(module)
    if name:
        getattr(loaded, name)()
