"""Django settings of the test project. The database is the one that ``tests/conftest.py`` started for this test run.

Processes that tests start read the same file: the variables they need are in the fixture ``subprocess_env``.
"""

from __future__ import annotations

import gc
import json
import os
from pathlib import Path
from typing import Any

import django

from tests.support import databases, installed

# The garbage collector takes a seventh of the time that a process needs to import Django. Benchmarks leave it as it is.
if "CHRONIKER_TEST_GC_THRESHOLD" in os.environ:
    gc.set_threshold(int(os.environ["CHRONIKER_TEST_GC_THRESHOLD"]))

SECRET_KEY = "for tests only"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.urls"
USE_TZ = True
TIME_ZONE = "UTC"
SITE_ID = 1
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOCALE_PATHS: list[Path] = []

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.sites",
    "chroniker",
    "tests.testapp",
]
if installed.CELERY:
    INSTALLED_APPS += ["chroniker_celery", "django_celery_results"]

MIDDLEWARE = [
    "tests.testapp.csp.strict_csp",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
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

DATABASES = {"default": databases.configuration()}
if databases.chosen() == "mariadb":
    import pymysql

    pymysql.install_as_MySQLdb()

if django.VERSION >= (6, 1):  # which warns of mail without MAILERS
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}

# A theme of the admin replaces its templates, and has scripts and styles that the strict policy forbids.
if theme := os.environ.get("CHRONIKER_TEST_THEME"):
    INSTALLED_APPS.insert(0, theme)
    MIDDLEWARE.remove("tests.testapp.csp.strict_csp")

# The broker of the test that runs; tests without one never connect.
CELERY_BROKER_URL = os.environ.get("CHRONIKER_TEST_BROKER_URL", "memory://")
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = json.loads(os.environ.get("CHRONIKER_TEST_BROKER_OPTIONS", "{}"))
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_RESULT_BACKEND = "django-db"
CELERY_RESULT_EXTENDED = True

# Stored clock offsets belong to one database; a later test run has another one.
if directory := os.environ.get("CHRONIKER_TEST_RUNTIME_DIR"):
    CHRONIKER_RUNTIME_DIR = directory

# Settings that a test overrides for its processes, as a JSON object.
globals().update(json.loads(os.environ.get("CHRONIKER_TEST_SETTINGS", "{}")))
