"""Settings of the demo, written to be copied from: what the scheduler needs is marked, the rest is any Django project.

Without any variable set, this is a project on one machine: SQLite, and Redis or Valkey on its usual port.

    DEMO_DATA                where the SQLite file is
    POSTGRES_HOST            PostgreSQL in place of SQLite, with POSTGRES_PORT, _DB, _USER, _PASSWORD
    CELERY_BROKER_URL        redis://…, redis+socket://…, amqp://…
    CHRONIKER_RUNTIME_DIR    locks and sockets of the runs on this host
    CHRONIKER_HOSTNAME       this host's name in the admin, where the system's own says nothing
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
    """A variable that holds several words, with commas between them."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


# A random key per process would log everybody out whenever one restarts: give one that stays.
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
    # These three are the scheduler: jobs and their admin; Celery as the way to run them; Celery's results in the admin.
    "chroniker",
    "chroniker_celery",
    "django_celery_results",
    # This project's own app. Its management commands are what the jobs run.
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
if find_spec("whitenoise"):  # serves the admin's style sheets where no web server does, as in the container
    MIDDLEWARE.insert(1, "whitenoise.middleware.WhiteNoiseMiddleware")
    WHITENOISE_USE_FINDERS = True

ROOT_URLCONF = "demo.urls"
WSGI_APPLICATION = "demo.wsgi.application"
STATIC_URL = "static/"
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

# --- time: instants of schedules are stored in UTC and need to know of time zones ------------------------------------

USE_TZ = True
TIME_ZONE = os.environ.get("DJANGO_TIME_ZONE", "UTC")  # the zone of jobs that name none

# --- database: the truth about every run; site, beat and workers all write to it -------------------------------------

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
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA / "demo.sqlite3",
            # With Django's defaults, processes that write at the same time fail with "database is locked". So:
            # readers do not wait for writers (WAL), writers queue up (IMMEDIATE), and are patient (20 s).
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000;",
            },
        }
    }

# --- the scheduler ---------------------------------------------------------------------------------------------------

# Where runs go: to Celery's workers. (Without Celery, leave this out: they then run on the host of `manage.py cron`.)
CHRONIKER_EXECUTORS = {"default": {"BACKEND": "chroniker_celery.executor.CeleryExecutor", "OPTIONS": {}}}
# A directory with a short path that belongs to the workers' user alone. None: one per user, in the temporary directory.
CHRONIKER_RUNTIME_DIR = os.environ.get("CHRONIKER_RUNTIME_DIR") or None
CHRONIKER_HOSTNAME = os.environ.get("CHRONIKER_HOSTNAME") or None
# Seconds after which a run that nobody hears of counts as lost. (On SQLite, file locks tell at once.)
CHRONIKER_LOCK_TIMEOUT = 30
# Seconds that a command has between SIGTERM and SIGKILL, when it took too long or somebody stopped it.
CHRONIKER_STOP_GRACE_SECONDS = 5
# Seconds that runs go on when their worker is told to end; then they are stopped. Docker waits for both, and some.
CHRONIKER_SHUTDOWN_GRACE_SECONDS = 30

# --- Celery ----------------------------------------------------------------------------------------------------------

CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A worker that loses its broker goes on with what it runs: the database decides, the message has done its duty.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
# One message per free process, so that no run waits behind a long one while another process is idle.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CONCURRENCY = 4
# Results are rows in this database; "extended" adds which worker it was, for Flower and the admin.
CELERY_RESULT_BACKEND = "django-db"
CELERY_RESULT_EXTENDED = True
CELERY_TIMEZONE = TIME_ZONE

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    # The admin's pages keep asking how the runs are doing; one line for each question would bury all others.
    "loggers": {"django.server": {"level": "WARNING"}},
}
