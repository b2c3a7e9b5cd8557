"""Each import as a user does it: with manage.py, on a separate database."""

from __future__ import annotations

from pathlib import Path

import pytest

from chroniker.models import Job, JobDependency, Run
from tests.integration.importing.upgrading import FIXTURES, dump, upgraded, users
from tests.support.manage import Manage

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_django_chroniker_project_upgrades_in_place(manage: Manage) -> None:
    with upgraded("1.1.0"):
        rehearsed = manage("import_chroniker", "--dry-run")
        assert rehearsed.returncode == 0, rehearsed.stderr
        assert not Job.objects.exists()
        done = manage("import_chroniker")
        assert done.returncode == 0, done.stderr
        assert "“nightly report”  (imported)" in done.stdout
        assert "2026-12-02 03:30:00+00:00  2026-12-02 03:30:00+00:00\n" in done.stdout
        assert (Job.objects.count(), JobDependency.objects.count(), Run.objects.count()) == (16, 2, 7)
        assert Job.objects.get(name="nightly report").fail_on_stderr
        assert "16 imported before, unchanged\n" in manage("import_chroniker").stdout


def test_a_dump_of_django_chroniker_is_imported(manage: Manage) -> None:
    users()
    done = manage("import_chroniker", str(dump("1.0.24")))
    assert done.returncode == 0, done.stderr
    assert (Job.objects.count(), JobDependency.objects.count(), Run.objects.count()) == (16, 2, 7)
    assert "16 imported before, unchanged\n" in manage("import_chroniker", str(dump("1.0.24"))).stdout


def test_a_crontab_is_imported(manage: Manage, tmp_path: Path) -> None:
    crontab = tmp_path / "crontab"
    project = tmp_path / "manage.py"
    crontab.write_text(f"CRON_TZ=Europe/Paris\n30 3 * * 1-5 python {project} noop > /dev/null\n@hourly df -h | sort\n")
    done = manage("import_crontab", str(crontab), "--manage-py", str(project), "--cron", "cronie")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("differs") == 0
    assert set(Job.objects.values_list("name", "command", "raw_command", "timezone")) == {
        ("noop", "noop", "", "Europe/Paris"),
        ("df -h | sort", "", "sh -c 'df -h | sort'", "Europe/Paris"),
    }
    again = manage("import_crontab", str(crontab), "--manage-py", str(project), "--cron", "cronie")
    assert "2 imported before, unchanged\n" in again.stdout


@pytest.mark.celery
def test_periodic_tasks_of_celery_beat_are_imported(manage: Manage) -> None:
    done = manage("import_celery_beat", str(FIXTURES / "celery-beat.json"))
    assert done.returncode == 0, done.stderr
    assert "not imported: A solar schedule (sunset) has no equivalent." in done.stdout
    assert Job.objects.filter(command="run_celery_task").count() == 11
    again = manage("import_celery_beat", str(FIXTURES / "celery-beat.json"))
    assert "11 imported before, unchanged" in again.stdout
