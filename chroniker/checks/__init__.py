"""System checks. Each has an id that is never reused, a hint, and a line in ``CHECK_MEANINGS_BY_ID``.

Belongs here: problems of settings, jobs and hosts that Django can report before a run. Does not belong here: checks of
live servers and workers (``management.diagnosis``), and checks of Celery (``chroniker_celery``).
"""

from __future__ import annotations

from django.core import checks

from chroniker.checks.clocks import check_clocks
from chroniker.checks.databases import check_databases, check_server_is_supported
from chroniker.checks.declarations import check_declarations
from chroniker.checks.executors import check_executors
from chroniker.checks.host import check_host
from chroniker.checks.installation import check_installation
from chroniker.checks.jobs import check_jobs
from chroniker.checks.migrations import check_migrations
from chroniker.checks.names import check_setting_names
from chroniker.checks.notifications import check_notifications
from chroniker.checks.project_setup import check_project_setup
from chroniker.checks.query_caches import check_query_caches
from chroniker.checks.row_locks import check_row_locks, check_skip_locked
from chroniker.checks.runtime_dir import check_runtime_dir
from chroniker.checks.values import check_setting_values

#: Tag of all checks but the slow ones: ``manage.py check --tag chroniker``.
CHECK_TAG = "chroniker"
#: Tag of checks that import modules of all apps. They do not run before each tick.
TAG_OF_CHECKS_THAT_IMPORT_APPS = "chroniker_code"

#: The id of each check, with its meaning. Executors of other packages have their own ids.
CHECK_MEANINGS_BY_ID: dict[str, str] = {
    "chroniker.E001": "USE_TZ is off: scheduled times would have no time zone.",
    "chroniker.E002": "CHRONIKER_EXECUTORS does not have the shape {alias: {BACKEND, OPTIONS}}.",
    "chroniker.E003": 'CHRONIKER_EXECUTORS has no alias "default".',
    "chroniker.E004": "An executor's BACKEND cannot be imported, is not an executor, or rejects its options.",
    "chroniker.E005": "The local executor's number of workers is not a positive number.",
    "chroniker.E006": "A setting has the wrong type.",
    "chroniker.E007": "A setting is out of its range.",
    "chroniker.E008": "The database is not supported.",
    "chroniker.E009": "CHRONIKER_RUNTIME_DIR is not a usable path: relative, too long for sockets, or not a directory.",
    "chroniker.E010": "The runtime directory is not private: another owner, not writable, or writable by others.",
    "chroniker.E011": "The distribution django-chroniker is installed too; both bring a package named chroniker.",
    "chroniker.E012": "An unreleased version of chroniker migrated this database (checked with --database).",
    "chroniker.E013": "CHRONIKER_COMMAND_SETUP cannot be loaded.",
    "chroniker.E014": "A package for caching queries caches those of chroniker.",
    "chroniker.E015": "The kernel lacks what supervising runs needs.",
    "chroniker.E020": "A job declared in code is not valid, or a module with declarations cannot be imported.",
    "chroniker.E030": "CHRONIKER_JOB_ERROR_CALLBACK cannot be imported, or is not a function.",
    "chroniker.E031": "CHRONIKER_WEBHOOKS does not have the shape [{URL, SECRET, EVENTS}], or names a URL twice.",
    "chroniker.E032": "The template of a mail's subject has an error.",
    "chroniker.W001": "An unknown CHRONIKER_ setting, probably misspelt.",
    "chroniker.W002": "A setting of django-chroniker that no longer has an effect.",
    "chroniker.W003": "SQLite lacks options that several processes on one file need.",
    "chroniker.W004": "CHRONIKER_CHECK_LOCK_FILE is on with a database that several hosts may use.",
    "chroniker.W005": "CHRONIKER_CHECK_LOCK_FILE is off on SQLite, where one long write delays every renewal.",
    "chroniker.W006": "Enabled jobs name an executor that does not exist (checked with --database).",
    "chroniker.W007": "Enabled jobs have a command that will be rejected (checked with --database).",
    "chroniker.W008": "CHRONIKER_SELECT_FOR_UPDATE has little or no effect on this database.",
    "chroniker.W009": "The database has no SKIP LOCKED: ticks wait for each other (checked with --database).",
    "chroniker.W010": "Enabled jobs require hosts that are not live (checked with --database).",
    "chroniker.W011": "The clock of a live host differs from the database's (checked with --database).",
    "chroniker.W012": "The settings need set-up code that processes which run commands do not load.",
    "chroniker.W013": "The project's start-up leaves threads running, so that no command can start warm.",
}


def register_system_checks() -> None:
    """Register all checks. Called once, when the app is ready."""
    for check in (
        check_installation,
        check_setting_names,
        check_setting_values,
        check_executors,
        check_databases,
        check_runtime_dir,
    ):
        checks.register(check, CHECK_TAG)
    checks.register(check_declarations, TAG_OF_CHECKS_THAT_IMPORT_APPS)
    for check in (check_row_locks, check_notifications, check_project_setup, check_query_caches, check_host):
        checks.register(check, CHECK_TAG)
    for check in (check_migrations, check_jobs, check_clocks, check_server_is_supported, check_skip_locked):
        checks.register(check, CHECK_TAG, checks.Tags.database)
