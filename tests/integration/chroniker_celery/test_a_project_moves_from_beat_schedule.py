"""A project that has only CELERY_BEAT_SCHEDULE moves here: migrate, import, another scheduler for beat."""

from __future__ import annotations

import shelve
from contextlib import closing
from pathlib import Path

import pytest

from chroniker.clock.database_clock import database_now
from chroniker.models import Job, Run, Status
from tests.support.celery_processes import CeleryBeat, CeleryWorker
from tests.support.manage import Manage
from tests.support.processes import wait_until, with_settings
from tests.testapp.witnessing import begun

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]

DAY = 86_400
CELERYS = "celery.beat:PersistentScheduler"


def test_it_loses_nothing_and_runs_nothing_twice(redis_env: dict[str, str], tmp_path: Path, witness: Path) -> None:
    file = tmp_path / "beat-schedule"
    entries = {
        "often": {"task": "testapp.witness", "schedule": 1.0, "args": [str(witness), "often"]},
        "nightly": {"task": "testapp.witness", "schedule": DAY, "args": [str(witness), "nightly"]},
    }
    env = with_settings(redis_env, CELERY_BEAT_SCHEDULE=entries, CELERY_BEAT_SCHEDULE_FILENAME=str(file))
    manage = Manage(env, tmp_path)
    with CeleryWorker(env, tmp_path):
        with CeleryBeat(env, tmp_path, scheduler=CELERYS):
            wait_until(lambda: len(begun(witness, "often")) >= 2, what="Celery's own beat sends")
        with closing(shelve.open(str(file), writeback=True)) as stored:
            stored["entries"]["nightly"].last_run_at = database_now().replace(year=2025)

        assert manage("migrate").returncode == 0
        moved = manage("import_celery_beat", "--schedule")
        assert moved.returncode == 0, moved.stderr
        assert "2 imported" in moved.stdout
        before = len(begun(witness))
        with CeleryBeat(env, tmp_path) as beat:
            runs = Run.objects.filter(status=Status.SUCCEEDED)
            wait_until(lambda: runs.filter(job__name="nightly").exists(), what="the night that was missed")
            wait_until(lambda: runs.filter(job__name="often").count() >= 2, what="the interval goes on")
            wait_until(lambda: "'often' of beat_schedule is a job now" in beat.log, what="the entry is passed over")
            Job.objects.update(enabled=False)
        assert all(mark.run for mark in begun(witness)[before:]), "an entry was sent in addition to its job"
        assert len(begun(witness, "nightly")) == 1
    checked = manage("check", "--database", "default")
    assert "These entries of beat_schedule are also jobs: “nightly”, “often”." in checked.stdout + checked.stderr
