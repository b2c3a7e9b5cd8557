"""Settings of the demo, to copy from: comments mark what the scheduler needs. The rest is a normal Django project.

Without variables it is a project on one machine: SQLite, and Redis or Valkey on its default port.

    DEMO_DATA                directory of the SQLite file
    POSTGRES_HOST            PostgreSQL instead of SQLite, with POSTGRES_PORT, _DB, _USER, _PASSWORD
    MARIADB_HOST             MariaDB instead, with MARIADB_PORT, _DB, _USER, _PASSWORD
    DJANGO_STATIC_ROOT       where collectstatic wrote the static files
    CELERY_BROKER_URL        redis://…, redis+socket://…, amqp://…
    CHRONIKER_RUNTIME_DIR    locks and sockets of the runs on this host
    CHRONIKER_HOSTNAME       this host's name, if the system's host name is not useful
    DJANGO_SECRET_KEY, DJANGO_DEBUG, DJANGO_ALLOWED_HOSTS, DJANGO_CSRF_TRUSTED_ORIGINS, DJANGO_TIME_ZONE
"""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.core.management.utils import get_random_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("DEMO_DATA") or BASE_DIR)


def words(name: str, default: str = "") -> list[str]:
    """The words of a variable, separated by commas."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


# With a random key per process, all users are logged out when a process restarts: set a fixed one.
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY") or get_random_secret_key()
DEBUG = os.environ.get("DJANGO_DEBUG", "0") == "1"
ALLOWED_HOSTS = words("DJANGO_ALLOWED_HOSTS", "127.0.0.1,localhost")
CSRF_TRUSTED_ORIGINS = words("DJANGO_CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    # The scheduler: jobs and their admin; Celery as executor; Celery's results in the admin.
    "chroniker",
    "chroniker_celery",
    "django_celery_results",
    # This project's app. The jobs run its management commands.
    "samples",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
if find_spec("whitenoise"):  # serves static files in the container, which has no web server
    MIDDLEWARE.insert(1, "whitenoise.middleware.WhiteNoiseMiddleware")
    WHITENOISE_USE_FINDERS = "DJANGO_STATIC_ROOT" not in os.environ

ROOT_URLCONF = "demo.urls"
WSGI_APPLICATION = "demo.wsgi.application"
STATIC_URL = "static/"
STATIC_ROOT = os.environ.get("DJANGO_STATIC_ROOT")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- time: scheduled times are stored in UTC and need time zones -----------------------------------------------------

USE_TZ = True
TIME_ZONE = os.environ.get("DJANGO_TIME_ZONE", "UTC")  # time zone of jobs without one

# --- database: contains the state of every run; site, beat and workers write to it -----------------------------------

DATABASES: dict[str, dict[str, Any]]
if host := os.environ.get("POSTGRES_HOST"):
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": host,
            "PORT": os.environ.get("POSTGRES_PORT", "5432"),
            "NAME": os.environ.get("POSTGRES_DB", "demo"),
            "USER": os.environ.get("POSTGRES_USER", "demo"),
            "PASSWORD": os.environ.get("POSTGRES_PASSWORD", ""),
        }
    }
elif host := os.environ.get("MARIADB_HOST"):
    import pymysql

    pymysql.install_as_MySQLdb()
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.mysql",
            "HOST": host,
            "PORT": os.environ.get("MARIADB_PORT", "3306"),
            "NAME": os.environ.get("MARIADB_DB", "demo"),
            "USER": os.environ.get("MARIADB_USER", "demo"),
            "PASSWORD": os.environ.get("MARIADB_PASSWORD", ""),
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA / "demo.sqlite3",
            # With Django's defaults, concurrent writes fail with "database is locked". With these options, readers do
            # not wait for writers (WAL), and writers wait for each other (IMMEDIATE) for up to 20 s.
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000;",
            },
        }
    }

# --- the scheduler ---------------------------------------------------------------------------------------------------

# Runs execute on Celery's workers. (Without this setting they execute on the host of `manage.py cron`.)
CHRONIKER_EXECUTORS = {"default": {"BACKEND": "chroniker_celery.executor.CeleryExecutor", "OPTIONS": {}}}
# A directory with a short path, private to the workers' user. None: one per user in the temporary directory.
CHRONIKER_RUNTIME_DIR = os.environ.get("CHRONIKER_RUNTIME_DIR") or None
CHRONIKER_HOSTNAME = os.environ.get("CHRONIKER_HOSTNAME") or None
# Seconds until a run without heartbeats is lost. (On SQLite, file locks show that at once.)
CHRONIKER_LOCK_TIMEOUT = 30
# Seconds between SIGTERM and SIGKILL when a run is stopped or timed out.
CHRONIKER_STOP_GRACE_SECONDS = 5
# Seconds that runs continue after their worker's shutdown began. Docker's stop_grace_period must be longer than both.
CHRONIKER_SHUTDOWN_GRACE_SECONDS = 30

# http://127.0.0.1:8000/chroniker/metrics needs this token. Without one the metrics are public, because this is a demo.
CHRONIKER_METRICS_TOKEN = os.environ.get("CHRONIKER_METRICS_TOKEN", "")
CHRONIKER_METRICS_PUBLIC = not CHRONIKER_METRICS_TOKEN

# The channel “Inbox” sends to a page of this site, which is not public.
CHRONIKER_CHANNEL_INBOX = os.environ.get("DEMO_INBOX", "http://127.0.0.1:8000/inbox/")
CHRONIKER_CHANNEL_HOSTS = ["127.0.0.1", "web"]

# --- Celery ----------------------------------------------------------------------------------------------------------

CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A worker that loses its broker continues its runs: the database decides, and the message is no longer needed.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
# A worker receives a message only when a process is free (Redis only), so that no run waits for a busy worker.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_DISABLE_PREFETCH = True
CELERY_WORKER_CONCURRENCY = 4
# Results are stored in this database; "extended" adds the worker's name, for Flower and the admin.
CELERY_RESULT_BACKEND = "django-db"
CELERY_RESULT_EXTENDED = True
CELERY_TIMEZONE = TIME_ZONE
# Beat ticks the jobs, and sends these entries, each once whatever the number of beats: see "Beat entries" in the admin.
CELERY_BEAT_SCHEDULER = "chroniker_celery.beat:Scheduler"
CELERY_BEAT_SCHEDULE = {"Clear sessions": {"task": "samples.tasks.clear_sessions", "schedule": 300.0}}

# --- mails -----------------------------------------------------------------------------------------------------------

# Without a mail server, mails about failed runs wait and are tried again; the console shows them as late.
EMAIL_HOST = os.environ.get("EMAIL_HOST", "localhost")
EMAIL_PORT = int(os.environ.get("EMAIL_PORT", "25"))
EMAIL_TIMEOUT = 5

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    # The admin's pages poll for updates; one line for each request would hide all others.
    "loggers": {"django.server": {"level": "WARNING"}},
}
