"""The settings for the monitoring of the scheduler: alarms, heartbeat and metrics. Part of ``conf``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings as django_settings

from chroniker.default_settings import DEFAULTS


class MonitoringSettings:
    def _value(self, name: str) -> Any:
        return getattr(django_settings, name, DEFAULTS[name])

    @property
    def tick_timeout(self) -> timedelta:
        """The alarm “nothing ticks” is raised after this time without a pass, or 2.5 periods of the slowest ticker."""
        return timedelta(seconds=float(self._value("CHRONIKER_TICK_TIMEOUT")))

    @property
    def alarm_emails(self) -> Sequence[str]:
        """Addresses that get a mail when nothing ticks, or a queue has no worker. Default: those of ``ADMINS``."""
        value: Sequence[str] | None = self._value("CHRONIKER_ALARM_EMAILS")
        if value is None:
            return [admin if isinstance(admin, str) else str(admin[1]) for admin in django_settings.ADMINS]
        return value

    @property
    def heartbeat_url(self) -> str | None:
        """Requested after a pass, at most once a minute in the fleet: a monitoring service notices missing requests."""
        value: str | None = self._value("CHRONIKER_HEARTBEAT_URL")
        return value

    @property
    def metrics_token(self) -> str:
        """A request with ``Authorization: Bearer`` and this token gets the metrics. Empty: no token is accepted."""
        return str(self._value("CHRONIKER_METRICS_TOKEN"))

    @property
    def metrics_public(self) -> bool:
        """Whether the metrics need no token."""
        return bool(self._value("CHRONIKER_METRICS_PUBLIC"))

    @property
    def metrics_jobs(self) -> int:
        """How many jobs have metrics of their own."""
        return int(self._value("CHRONIKER_METRICS_JOBS"))
