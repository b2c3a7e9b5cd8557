"""The defaults of all settings. Loads without Django, for ``alive``."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LOCAL_EXECUTOR: Mapping[str, Any] = {"BACKEND": "chroniker.executors.local.LocalExecutor", "OPTIONS": {}}

#: Default of ``CHRONIKER_COMMANDS_DENIED``: commands that never end, are interactive, destroy data, or run any other
#: command. The second part has those of popular packages.
DENIED_COMMANDS = (
    *("cron", "cronserver", "run_job", "drain", "chroniker_adopt"),
    *("runserver", "testserver", "shell", "dbshell", "createsuperuser", "changepassword", "flush", "sqlflush", "test"),
    # never end: development servers and workers
    *("runserver_plus", "runprofileserver", "runsslserver", "livereload", "mail_debug", "tailwind", "runmodwsgi"),
    *("rqworker", "rqworker-pool", "rqscheduler", "qcluster", "qmonitor", "run_huey", "rundramatiq", "db_worker"),
    *("runworker", "process_tasks", "runmailer", "runmailer_pg", "celery", "celeryd", "celerybeat", "celerycam"),
    # interactive
    *("shell_plus", "debugsqlshell", "create_tenant", "create_tenant_superuser"),
    # destroy data
    *("reset_db", "reset_schema", "drop_test_database", "dbrestore", "mediarestore", "clear_index", "delete_tenant"),
    *("set_fake_emails", "set_fake_passwords", "delete_squashed_migrations", "syncdata"),
    # run any other command
    *("tenant_command", "all_tenants_command"),
)

#: Name of the setting -> default. ``None``: see the property of the same name.
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
    "CHRONIKER_HOST_FORGET_DAYS": 7,
    "CHRONIKER_TICK_TIMEOUT": 150,
    "CHRONIKER_INSTALLATION": None,
    "CHRONIKER_ALARM_EMAILS": None,
    "CHRONIKER_HEARTBEAT_URL": None,
    "CHRONIKER_METRICS_TOKEN": "",  # nosec B105  # none
    "CHRONIKER_METRICS_PUBLIC": False,
    "CHRONIKER_METRICS_JOBS": 1000,
    "CHRONIKER_DISABLE_RAW_COMMAND": False,
    "CHRONIKER_COMMANDS": ("*",),
    "CHRONIKER_COMMANDS_DENIED": DENIED_COMMANDS,
    "CHRONIKER_MONITOR_FUNCTIONS": None,
    "CHRONIKER_COMMAND_SETUP": None,
    "CHRONIKER_SYNC_JOBS": True,
    "CHRONIKER_RELEASE": "",
    "CHRONIKER_BASE_URL": None,
    "CHRONIKER_EMAIL_SENDER": None,
    "CHRONIKER_EMAIL_HOST_USER": None,
    "CHRONIKER_EMAIL_SUBJECT_ERROR": "Error: {{ job.name }} ({{ outcome }})",
    "CHRONIKER_EMAIL_SUBJECT_SUCCESS": "Success: {{ job.name }}",
    "CHRONIKER_JOB_ERROR_CALLBACK": None,
    "CHRONIKER_WEBHOOKS": (),
    "CHRONIKER_CHANNEL_HOSTS": (),
    "CHRONIKER_ALERTS": {},
}


def default_runtime_dir() -> Path:
    """The default of ``CHRONIKER_RUNTIME_DIR``: one directory for each user, in the temporary directory."""
    return Path(tempfile.gettempdir()) / f"chroniker-{os.getuid()}"
