"""Every setting: name, type, unit, default. Read late, so that tests may override; checked early, in ``checks``."""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from email.utils import formataddr, parseaddr
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings as django_settings
from django.db import connections, router

#: Default deny-list of ``CHRONIKER_COMMANDS_DENIED``: commands that never end by design, ask a person, or destroy data.
DENIED_COMMANDS = (
    "cron",
    "cronserver",
    "run_job",
    "runserver",
    "testserver",
    "shell",
    "dbshell",
    "createsuperuser",
    "changepassword",
    "flush",
    "sqlflush",
    "test",
)

LOCAL_EXECUTOR: Mapping[str, Any] = {"BACKEND": "chroniker.executors.local.LocalExecutor", "OPTIONS": {}}

#: name of the setting -> its default. ``None`` where the default is derived; see the property of the same name.
DEFAULTS: dict[str, Any] = {
    "CHRONIKER_EXECUTORS": {"default": LOCAL_EXECUTOR},
    "CHRONIKER_LOCK_TIMEOUT": 60,
    "CHRONIKER_HEARTBEAT_MISSES": 6,
    "CHRONIKER_STOP_GRACE_SECONDS": 10,
    "CHRONIKER_SHUTDOWN_GRACE_SECONDS": None,
    "CHRONIKER_START_DEADLINE_SECONDS": 86_400,
    "CHRONIKER_REDISPATCH_SECONDS": 60,
    "CHRONIKER_BATCH_SIZE": 500,
    "CHRONIKER_PAUSED": False,
    "CHRONIKER_CHECK_LOCK_FILE": None,
    "CHRONIKER_SELECT_FOR_UPDATE": True,
    "CHRONIKER_USE_PID": False,
    "CHRONIKER_RUNTIME_DIR": None,
    "CHRONIKER_HOSTNAME": None,
    "CHRONIKER_HOST_TIMEOUT": 150,
    "CHRONIKER_DISABLE_RAW_COMMAND": False,
    "CHRONIKER_COMMANDS": ("*",),
    "CHRONIKER_COMMANDS_DENIED": DENIED_COMMANDS,
    "CHRONIKER_SYNC_JOBS": True,
    "CHRONIKER_BASE_URL": None,
    "CHRONIKER_EMAIL_SENDER": None,
    "CHRONIKER_EMAIL_HOST_USER": None,
    "CHRONIKER_EMAIL_SUBJECT_ERROR": "Error: {{ job.name }} ({{ outcome }})",
    "CHRONIKER_EMAIL_SUBJECT_SUCCESS": "Success: {{ job.name }}",
    "CHRONIKER_JOB_ERROR_CALLBACK": None,
    "CHRONIKER_WEBHOOKS": (),
}


class Settings:
    """The settings of the running process, typed. One instance, ``settings``; each read looks at Django's settings."""

    def _value(self, name: str) -> Any:
        return getattr(django_settings, name, DEFAULTS[name])

    @property
    def executors(self) -> Mapping[str, Mapping[str, Any]]:
        """Alias -> {"BACKEND": dotted path, "OPTIONS": {...}}, as in Django's ``TASKS`` and ``STORAGES``."""
        value: Mapping[str, Mapping[str, Any]] = self._value("CHRONIKER_EXECUTORS")
        return value

    @property
    def lease(self) -> timedelta:
        """How long a run stays the one instance without renewal."""
        return timedelta(seconds=float(self._value("CHRONIKER_LOCK_TIMEOUT")))

    @property
    def heartbeat(self) -> timedelta:
        """Between two renewals: lease / ``CHRONIKER_HEARTBEAT_MISSES``."""
        return self.lease / float(self._value("CHRONIKER_HEARTBEAT_MISSES"))

    @property
    def lease_margin(self) -> timedelta:
        """A worker kills its run this long before the lease ends: time to stop the tree on a busy host."""
        return self.lease / 5

    @property
    def drift_allowance(self) -> timedelta:
        """A tick calls a run lost this long after its lease ended: as far as two clocks may drift within it."""
        return self.lease / 50 + timedelta(seconds=1)

    @property
    def stop_grace(self) -> timedelta:
        """Between SIGTERM and SIGKILL."""
        return timedelta(seconds=float(self._value("CHRONIKER_STOP_GRACE_SECONDS")))

    @property
    def shutdown_grace(self) -> timedelta | None:
        """How long runs may go on when their worker is told to end; then they are stopped. None: it waits for them."""
        value = self._value("CHRONIKER_SHUTDOWN_GRACE_SECONDS")
        return None if value is None else timedelta(seconds=float(value))

    @property
    def start_deadline(self) -> timedelta:
        """A claim that no worker took within this time is lost, unless the job has a deadline of its own."""
        return timedelta(seconds=float(self._value("CHRONIKER_START_DEADLINE_SECONDS")))

    def start_deadline_of(self, own: int | None) -> timedelta:
        """For a job that has this deadline of its own, in seconds, or none."""
        return timedelta(seconds=own) if own else self.start_deadline

    @property
    def redispatch(self) -> timedelta:
        """A claim that did not start is dispatched again after this time; then after longer and longer."""
        return timedelta(seconds=float(self._value("CHRONIKER_REDISPATCH_SECONDS")))

    @property
    def batch_size(self) -> int:
        """Jobs claimed in one transaction."""
        return int(self._value("CHRONIKER_BATCH_SIZE"))

    @property
    def paused(self) -> bool:
        """Claim nothing; what runs is finished."""
        return bool(self._value("CHRONIKER_PAUSED"))

    @property
    def check_lock_file(self) -> bool:
        """Trust a run's kernel file lock, not its lease. Right only where all ticks and workers share one host."""
        value = self._value("CHRONIKER_CHECK_LOCK_FILE")
        if value is not None:
            return bool(value)
        return bool(django_settings.DATABASES[self.database]["ENGINE"].endswith("sqlite3"))

    @property
    def select_for_update(self) -> bool:
        """Pass over rows that others have locked (SKIP LOCKED), instead of waiting for them. Rows are locked anyway."""
        return bool(self._value("CHRONIKER_SELECT_FOR_UPDATE"))

    @property
    def use_pid(self) -> bool:
        """A ``cron`` on this host waits until the pass of the one before it is over."""
        return bool(self._value("CHRONIKER_USE_PID"))

    @property
    def runtime_dir(self) -> Path:
        """For lock files and sockets of the runs on this host. Default: one per user in the temporary directory."""
        value = self._value("CHRONIKER_RUNTIME_DIR")
        if value is not None:
            return Path(value)
        return Path(tempfile.gettempdir()) / f"chroniker-{os.getuid()}"

    @property
    def hostname(self) -> str:
        """This host's name in jobs, runs and the list of hosts."""
        return str(self._value("CHRONIKER_HOSTNAME") or socket.gethostname())

    @property
    def host_timeout(self) -> timedelta:
        """A host is live as long as it said within this time that it executes: twice a crontab's minute, and some."""
        return timedelta(seconds=float(self._value("CHRONIKER_HOST_TIMEOUT")))

    @property
    def database(self) -> str:
        """Alias of the database that *writes* runs, by the project's routers. Every read that decides goes there."""
        return router.db_for_write(apps.get_model("chroniker", "Run"))

    @property
    def database_digest(self) -> str:
        """For names in the runtime directory, which several projects of one user may share."""
        database = connections[self.database].settings_dict
        identity = "\0".join(str(database.get(key)) for key in ("ENGINE", "HOST", "PORT", "NAME"))
        return hashlib.sha256(identity.encode()).hexdigest()[:16]

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
        """Patterns of management commands that jobs never run, whatever ``CHRONIKER_COMMANDS`` says."""
        value: Sequence[str] = self._value("CHRONIKER_COMMANDS_DENIED")
        return value

    @property
    def sync_jobs(self) -> bool:
        """Whether ``migrate`` brings the jobs that are declared in code into the database."""
        return bool(self._value("CHRONIKER_SYNC_JOBS"))

    @property
    def base_url(self) -> str | None:
        """Where this site is for people, such as https://jobs.example.com. None: as ``django.contrib.sites`` says."""
        value: str | None = self._value("CHRONIKER_BASE_URL")
        return value

    @property
    def email_sender(self) -> str:
        """``From`` of the mails: an address; or a name, which is put before the address of the mail account."""
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
        """Dotted path of a function, called with ``(job, stdout=..., stderr=...)`` after a run ended in an error."""
        value: str | None = self._value("CHRONIKER_JOB_ERROR_CALLBACK")
        return value

    @property
    def webhooks(self) -> Any:
        """As it was set; ``chroniker.outbox.channels.webhooks`` reads it."""
        return self._value("CHRONIKER_WEBHOOKS")


settings = Settings()
