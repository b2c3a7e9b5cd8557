"""All settings: name, type, unit, default. Read at each use, so that tests may override them; checked in ``checks``."""

from __future__ import annotations

import functools
import hashlib
import socket
from collections.abc import Mapping, Sequence
from datetime import timedelta
from email.utils import formataddr, parseaddr
from pathlib import Path
from typing import Any, Literal

from django.apps import apps
from django.conf import settings as django_settings
from django.db import connections, router

from chroniker.conf.monitoring_settings import MonitoringSettings
from chroniker.default_settings import default_runtime_dir


class Settings(MonitoringSettings):
    """Typed access to Django's settings. Use the instance ``settings``."""

    @property
    def executors(self) -> Mapping[str, Mapping[str, Any]]:
        """Alias -> {"BACKEND": dotted path, "OPTIONS": {...}}, as in Django's ``TASKS`` and ``STORAGES``."""
        value: Mapping[str, Mapping[str, Any]] = self._value("CHRONIKER_EXECUTORS")
        return value

    @property
    def lease(self) -> timedelta:
        """The length of a lease without renewal."""
        return timedelta(seconds=float(self._value("CHRONIKER_LOCK_TIMEOUT")))

    @property
    def heartbeat(self) -> timedelta:
        """Time between two renewals: lease / ``CHRONIKER_HEARTBEAT_MISSES``."""
        return self.lease / float(self._value("CHRONIKER_HEARTBEAT_MISSES"))

    @property
    def lease_margin(self) -> timedelta:
        """The keeper kills its run this long before the lease expires: time to stop the process tree on a busy host."""
        return self.lease / 5

    @property
    def drift_allowance(self) -> timedelta:
        """A tick closes a run as lost this long after its lease expired: the drift of two clocks within a lease."""
        return self.lease / 50 + timedelta(seconds=1)

    @property
    def stop_grace(self) -> timedelta:
        """Time between SIGTERM and SIGKILL."""
        return timedelta(seconds=float(self._value("CHRONIKER_STOP_GRACE_SECONDS")))

    @property
    def shutdown_grace(self) -> timedelta | None:
        """How long runs may continue after their worker's shutdown began, before they are stopped. None: no limit."""
        value = self._value("CHRONIKER_SHUTDOWN_GRACE_SECONDS")
        return None if value is None else timedelta(seconds=float(value))

    @property
    def start_deadline(self) -> timedelta:
        """A claimed run that does not start within this time is lost, unless its job has another deadline."""
        return timedelta(seconds=float(self._value("CHRONIKER_START_DEADLINE_SECONDS")))

    def start_deadline_or_default(self, own_seconds: int | None) -> timedelta:
        """The start deadline of a job whose field has this value, in seconds."""
        return timedelta(seconds=own_seconds) if own_seconds else self.start_deadline

    @property
    def redispatch(self) -> timedelta:
        """A claimed run that has not started is dispatched again after this time, and then after longer times."""
        return timedelta(seconds=float(self._value("CHRONIKER_REDISPATCH_SECONDS")))

    @property
    def batch_size(self) -> int:
        """Number of jobs claimed in one transaction."""
        return int(self._value("CHRONIKER_BATCH_SIZE"))

    @property
    def paused(self) -> bool:
        """Whether nothing is claimed. Open runs continue."""
        return bool(self._value("CHRONIKER_PAUSED"))

    @property
    def check_lock_file(self) -> bool:
        """Whether kernel file locks decide instead of leases. Safe only if all ticks and workers are on one host."""
        value = self._value("CHRONIKER_CHECK_LOCK_FILE")
        if value is not None:
            return bool(value)
        return bool(django_settings.DATABASES[self.database]["ENGINE"].endswith("sqlite3"))

    @property
    def select_for_update(self) -> bool:
        """Whether a claim skips rows that others lock (SKIP LOCKED) or waits for them. It always locks its own rows."""
        return bool(self._value("CHRONIKER_SELECT_FOR_UPDATE"))

    @property
    def use_pid(self) -> bool:
        """Whether ``cron`` waits for the tick of another ``cron`` on this host."""
        return bool(self._value("CHRONIKER_USE_PID"))

    @property
    def runtime_dir(self) -> Path:
        """Directory for lock files and sockets of runs. Default: one per user in the temporary directory."""
        value = self._value("CHRONIKER_RUNTIME_DIR")
        return default_runtime_dir() if value is None else Path(value)

    @property
    def hostname(self) -> str:
        """This host's name in jobs, runs and the list of hosts."""
        return str(self._value("CHRONIKER_HOSTNAME") or socket.gethostname())

    @property
    def host_timeout(self) -> timedelta:
        """A host is live for this long after its last heartbeat. The default allows for one missed crontab line."""
        return timedelta(seconds=float(self._value("CHRONIKER_HOST_TIMEOUT")))

    @property
    def host_retention(self) -> timedelta:
        """A host that was silent for so long is deleted, unless an enabled job or an open run names it."""
        return timedelta(days=float(self._value("CHRONIKER_HOST_FORGET_DAYS")))

    @property
    def installation(self) -> str | Literal[False] | None:
        """This environment's name, stored in its database. None: recognise the database; False: detect no copies."""
        value: str | Literal[False] | None = self._value("CHRONIKER_INSTALLATION")
        return value

    @property
    def database(self) -> str:
        """Alias of the database to which the project's routers write runs. All decisions read from it, too."""
        return router.db_for_write(apps.get_model("chroniker", "Run"))

    @property
    def database_digest(self) -> str:
        """Part of file names in the runtime directory, which projects of one user may share."""
        database = connections[self.database].settings_dict
        return _sha256_prefix("\0".join(str(database.get(key)) for key in ("ENGINE", "HOST", "PORT", "NAME")))

    @property
    def raw_commands_allowed(self) -> bool:
        return not self._value("CHRONIKER_DISABLE_RAW_COMMAND")

    @property
    def commands(self) -> Sequence[str]:
        """Patterns (fnmatch) of management commands that jobs may run."""
        value: Sequence[str] = self._value("CHRONIKER_COMMANDS")
        return value

    @property
    def commands_denied(self) -> Sequence[str]:
        """Patterns of management commands that jobs may not run. Takes precedence over ``CHRONIKER_COMMANDS``."""
        value: Sequence[str] = self._value("CHRONIKER_COMMANDS_DENIED")
        return value

    @property
    def command_setup(self) -> str | None:
        """``package.module`` or ``package.module:function``: loaded first in the processes that run commands."""
        value: str | None = self._value("CHRONIKER_COMMAND_SETUP")
        return value

    @property
    def monitor_functions(self) -> Sequence[str]:
        """Patterns of dotted paths that ``check_monitor`` may call. Default: all, or none without raw commands."""
        value: Sequence[str] | None = self._value("CHRONIKER_MONITOR_FUNCTIONS")
        if value is None:
            return ("*",) if self.raw_commands_allowed else ()
        return value

    @property
    def sync_jobs(self) -> bool:
        """Whether ``migrate`` writes the jobs declared in code to the database."""
        return bool(self._value("CHRONIKER_SYNC_JOBS"))

    @property
    def release(self) -> str:
        """The project's release, recorded with each run that this process starts. Cut after 100 characters."""
        return str(self._value("CHRONIKER_RELEASE"))[:100]

    @property
    def base_url(self) -> str | None:
        """Public address of this site, such as https://jobs.example.com. None: that of ``django.contrib.sites``."""
        value: str | None = self._value("CHRONIKER_BASE_URL")
        return value

    @property
    def email_sender(self) -> str:
        """``From`` of mails: an address, or a name for the address of the mail account."""
        account = str(self._value("CHRONIKER_EMAIL_HOST_USER") or django_settings.DEFAULT_FROM_EMAIL)
        sender = str(self._value("CHRONIKER_EMAIL_SENDER") or account)
        return sender if "@" in sender else formataddr((sender, parseaddr(account)[1]))

    @property
    def email_subject_error(self) -> str:
        """A Django template."""
        return str(self._value("CHRONIKER_EMAIL_SUBJECT_ERROR"))

    @property
    def email_subject_success(self) -> str:
        """A Django template."""
        return str(self._value("CHRONIKER_EMAIL_SUBJECT_SUCCESS"))

    @property
    def job_error_callback(self) -> str | None:
        """Dotted path of a function, called with ``(job, stdout=..., stderr=...)`` after a run ended with an error."""
        value: str | None = self._value("CHRONIKER_JOB_ERROR_CALLBACK")
        return value

    @property
    def alerts(self) -> Mapping[str, Any]:
        """The alert fields of all jobs that have no own values, and whose groups have none."""
        return dict(self._value("CHRONIKER_ALERTS"))

    @property
    def webhooks(self) -> Any:
        """The raw value; ``chroniker.outbox.channels.configured_webhooks`` parses it."""
        return self._value("CHRONIKER_WEBHOOKS")

    @property
    def channel_hosts(self) -> Sequence[str]:
        """Hosts and networks to which channels may send although they are not public: names, or as 10.1.0.0/16."""
        value: Any = self._value("CHRONIKER_CHANNEL_HOSTS")
        return [each for each in value if isinstance(each, str)] if isinstance(value, list | tuple | set) else []


settings = Settings()


@functools.lru_cache(maxsize=16)
def _sha256_prefix(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
