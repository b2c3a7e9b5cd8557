"""The settings of this package: name, type, unit.

Belongs here: typed access to each setting. Does not belong here: checks of their values (``checks``), and the defaults
(``default_settings``, which loads without Django).
"""

from chroniker.conf.project_settings import Settings, settings
from chroniker.conf.settings_state import settings_state
from chroniker.default_settings import DEFAULTS, DENIED_COMMANDS

__all__ = ["DEFAULTS", "DENIED_COMMANDS", "Settings", "settings", "settings_state"]
