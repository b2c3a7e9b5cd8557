"""The Django project of the peers that need one."""

from __future__ import annotations

import os

from plan import POSTGRES_PORT, REDIS

SECRET_KEY = "for a benchmark"
USE_TZ = True
TIME_ZONE = "UTC"
SITE_ID = 1
ROOT_URLCONF = "urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    *(f"django.contrib.{name}" for name in ("admin", "auth", "contenttypes", "sessions", "messages", "sites")),
    *os.environ["PEER_APPS"].split(),
    "work",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "PORT": POSTGRES_PORT,
        "USER": "postgres",
        "NAME": "postgres",
    }
}
Q_CLUSTER = {
    "name": "peer",
    "workers": 2,
    "timeout": 60,
    "retry": 120,
    "log_level": "WARNING",
    "redis": {"host": "127.0.0.1", "port": int(REDIS.rpartition(":")[2]), "db": 3},
}
CHRONIKER_EXECUTORS = {
    "default": {"BACKEND": "chroniker_celery.executor.CeleryExecutor", "OPTIONS": {"app": "celery_app:app"}}
}
CHRONIKER_RUNTIME_DIR = os.environ["PEER_DIRECTORY"]
