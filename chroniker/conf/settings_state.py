"""A key for what is compiled from settings."""

from __future__ import annotations

import hashlib

from django.conf import settings as django_settings
from django.core.signals import setting_changed

#: Settings of Django that SQL depends on, besides those of this package.
OTHER_SETTINGS = ("DATABASES", "DATABASE_ROUTERS", "TIME_ZONE", "USE_TZ")


class _SettingsState:
    """The digest of all settings that SQL depends on, computed again after a change. Settings change in tests only."""

    def __init__(self) -> None:
        self._digest = ""
        setting_changed.connect(self._forget)

    def _forget(self, **kwargs: object) -> None:
        self._digest = ""

    def __call__(self) -> str:
        """The same text for the same values of these settings. Called with each use of what was compiled: fast."""
        if not self._digest:
            names = [name for name in dir(django_settings) if name.startswith("CHRONIKER_")]
            values = repr([(name, getattr(django_settings, name)) for name in (*names, *OTHER_SETTINGS)])
            self._digest = hashlib.sha256(values.encode()).hexdigest()
        return self._digest


settings_state = _SettingsState()
