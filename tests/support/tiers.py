"""Which tests run on each database, and which only before a merge or at night. See "Tests" in CONTRIBUTING."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import ROOT

FIRST_BROKER = "redis"

#: Tests of what may differ between databases, and some from end to end. A single test has the marker itself.
EVERY_DATABASE = (
    "tests/faults/test_each_process_is_killed.py",
    "tests/integration/admin/test_job_list.py",
    "tests/integration/admin/test_schedule_calendar.py",
    "tests/integration/admin/test_schedule_history.py",
    "tests/integration/chroniker_celery/test_runs_on_workers.py",
    "tests/integration/declared/test_declared_channels_and_tags.py",
    "tests/integration/declared/test_declared_dependencies.py",
    "tests/integration/declared/test_syncing.py",
    "tests/integration/eligibility/",
    "tests/integration/executors/test_executors.py",
    "tests/integration/importing/",
    "tests/integration/insights/",
    "tests/integration/lifecycle/",
    "tests/integration/management/test_cron.py",
    "tests/integration/models/",
    "tests/integration/outbox/",
    "tests/integration/scheduler/",
    "tests/security/test_input_sizes.py",
)
#: Tests in these folders of texts, of decisions in Python and of processes: one database is enough, and at night they
#: run on each.
ONE_DATABASE = (
    "tests/integration/eligibility/test_drain_records.py",
    "tests/integration/eligibility/test_explanations.py",
    "tests/integration/eligibility/test_hosts.py",
    "tests/integration/eligibility/test_live_hosts.py",
    "tests/integration/eligibility/test_pause_records.py",
    "tests/integration/eligibility/test_queues_and_tickers.py",
    "tests/integration/eligibility/test_reasons_against_a_run_by_hand.py",
    "tests/integration/eligibility/test_wait_reasons.py",
    "tests/integration/importing/test_crontab_commands.py",
    "tests/integration/importing/test_import_celery_beat_values.py",
    "tests/integration/importing/test_import_chroniker_notes.py",
    "tests/integration/importing/test_import_chroniker_values.py",
    "tests/integration/importing/test_import_crontab.py",
    "tests/integration/importing/test_importing_jobs.py",
    "tests/integration/insights/test_what_if.py",
    "tests/integration/lifecycle/test_alert_checks.py",
    "tests/integration/lifecycle/test_alert_messages.py",
    "tests/integration/lifecycle/test_alerts_of_failures.py",
    "tests/integration/lifecycle/test_alerts_of_slow_and_overdue_runs.py",
    "tests/integration/lifecycle/test_alerts_reach_channels.py",
    "tests/integration/lifecycle/test_backfill_cancellation.py",
    "tests/integration/lifecycle/test_backfill_failures.py",
    "tests/integration/lifecycle/test_catch_up.py",
    "tests/integration/lifecycle/test_claim_plans.py",
    "tests/integration/lifecycle/test_recipients_of_others.py",
    "tests/integration/lifecycle/test_run_record.py",
    "tests/integration/lifecycle/test_run_signals.py",
    "tests/integration/lifecycle/test_scheduled_times_of_runs.py",
    "tests/integration/lifecycle/test_times_of_alert_checks.py",
    "tests/integration/lifecycle/test_usual_durations.py",
    "tests/integration/outbox/test_callback.py",
    "tests/integration/outbox/test_mails.py",
    "tests/integration/outbox/test_webhooks.py",
    "tests/integration/scheduler/test_force_run_and_stop.py",
    "tests/integration/scheduler/test_lost_runs_leave_no_process.py",
)
#: Tests that use most of Python's own parts: parsers, processes and signals.
EVERY_PYTHON = ("tests/unit/", "tests/integration/process/")
#: Tests of the project's files.
ONE_PYTHON = "tests/unit/project/"
#: Tests of what may differ between brokers. The others with a broker run on the second one at night.
SECOND_BROKER = (
    "tests/integration/chroniker_celery/test_broker_or_backend_is_down.py",
    "tests/integration/chroniker_celery/test_doctor.py",
    "tests/integration/chroniker_celery/test_duplicate_messages.py",
    "tests/integration/chroniker_celery/test_publishing.py",
    "tests/integration/chroniker_celery/test_runs_on_workers.py",
)
#: Long tests of what few changes can break: proofs of the protocols, whole pages in a browser, and processes of Celery
#: that die, freeze or leave.
BEFORE_MERGE = (
    "tests/browser/test_console.py",
    "tests/browser/test_hostile_text.py",
    "tests/browser/test_live_output.py",
    "tests/browser/test_pages.py",
    "tests/browser/test_ten_questions.py",
    "tests/faults/",
    "tests/integration/admin/test_permission_mixtures.py",
    "tests/integration/chroniker_celery/test_a_project_moves_from_beat_schedule.py",
    "tests/integration/chroniker_celery/test_a_worker_shuts_down.py",
    "tests/integration/chroniker_celery/test_alive.py",
    "tests/integration/chroniker_celery/test_counts_of_ticks_and_runs.py",
    "tests/integration/chroniker_celery/test_draining.py",
    "tests/integration/chroniker_celery/test_duplicate_messages.py",
    "tests/integration/chroniker_celery/test_leaks.py",
    "tests/integration/chroniker_celery/test_required_hosts.py",
    "tests/integration/chroniker_celery/test_scheduler_dies.py",
    "tests/integration/chroniker_celery/test_worker_processes_are_killed.py",
    "tests/integration/executors/test_database_over_tls.py",
    "tests/integration/management/test_bin_chroniker.py",
)
#: Tests of the distribution, the test tools and the SPIN models, and some that make many rows or processes.
NIGHTLY = (
    "tests/faults/test_a_short_mix.py",
    "tests/integration/admin/test_plans_of_lists.py",
    "tests/integration/scheduler/test_group_limit_under_load.py",
    "tests/integration/support/",
    "tests/project/",
    "tests/spin/",
)


def mark(item: pytest.Item) -> None:
    """Add the markers that follow from a test's folder and from its broker, for pytest's option ``-m``."""
    path = Path(item.path).relative_to(ROOT).as_posix()
    may_differ = path.startswith(EVERY_DATABASE) and path not in ONE_DATABASE
    if may_differ or item.get_closest_marker("database"):
        item.add_marker("every_database")
    if path.startswith(EVERY_PYTHON) and not path.startswith(ONE_PYTHON):
        item.add_marker("every_python")
    on_second_broker = not uses_first_broker(item)
    if on_second_broker:
        item.add_marker("second_broker")
    if path.startswith(NIGHTLY) or (on_second_broker and path not in SECOND_BROKER):
        item.add_marker("nightly")
    elif path.startswith(BEFORE_MERGE) or on_second_broker:
        item.add_marker("before_merge")


def uses_first_broker(item: pytest.Item) -> bool:
    """True also for a test without a broker."""
    callspec = getattr(item, "callspec", None)
    return callspec is None or callspec.params.get("broker_session") in (None, FIRST_BROKER)
