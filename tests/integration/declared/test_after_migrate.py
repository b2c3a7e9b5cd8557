"""``migrate`` syncs too; several processes at once do it once."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import Count
from django.test import override_settings

from chroniker.models import Group, Job, JobDependency
from tests.support.declared_app import Shop

NIGHT = 'night = chroniker.job(name="night", command="noop", cron="0 3 * * *")'


def migrate(**options: Any) -> str:
    out = io.StringIO()
    call_command("migrate", stdout=out, skip_checks=True, **options)
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_migrate_syncs_declared_jobs(shop: Shop) -> None:
    shop.jobs(NIGHT)
    assert "Job “night”: created" in migrate()
    assert Job.objects.get().enabled
    assert "Job" not in migrate().partition("No migrations to apply.")[2]
    shop.jobs("")
    assert f"Job “night”: removed (disabled; no longer declared in {shop.name}.jobs.night)" in migrate()
    assert not Job.objects.get().enabled


@pytest.mark.django_db(transaction=True)
def test_a_setting_disables_the_sync_after_migrate(shop: Shop) -> None:
    shop.jobs(NIGHT)
    with override_settings(CHRONIKER_SYNC_JOBS=False):
        migrate()
    assert not Job.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_invalid_and_refused_declarations_do_not_fail_migrate(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.jobs(NIGHT.replace("0 3", "61 3"))
    migrate()
    assert "Declared jobs were not synchronised:" in capsys.readouterr().err
    Job.objects.create(name="night", command="noop", cron="* * * * *")
    shop.jobs(NIGHT)
    migrate()
    assert "Job “night” was refused: a job with this name was created by hand" in capsys.readouterr().err


@pytest.mark.django_db(transaction=True)
def test_migrating_another_app_without_a_job_table(shop: Shop) -> None:
    shop.jobs(NIGHT)
    call_command("migrate", "chroniker", "zero", stdout=io.StringIO(), skip_checks=True)
    try:
        migrate(app_label="contenttypes")
    finally:
        migrate()
    assert Job.objects.get().name == "night"


@pytest.mark.django_db(transaction=True)
def test_flush_does_not_sync(shop: Shop) -> None:
    shop.jobs(NIGHT)
    call_command("flush", interactive=False, stdout=io.StringIO())
    assert not Job.objects.exists()


def test_concurrent_syncs_create_each_job_once(shop: Shop, subprocess_env: dict[str, str]) -> None:
    shop.jobs(
        """
        EACH = [
            chroniker.job(
                name=f"part {n}", command="noop", cron=f"{n} 3 * * *", group="parts",
                after=[f"part {n - 1}"] if n else [],
            )
            for n in range(12)
        ]
        """
    )
    words = [sys.executable, "-m", "django", "sync_jobs"]
    env = shop.env(subprocess_env)
    each = [
        subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _n in range(4)
    ]
    outputs = [process.communicate(timeout=120) for process in each]
    assert [process.returncode for process in each] == [0] * 4, outputs
    assert sum(out.count("  created") for out, _err in outputs) == 12
    assert Job.objects.count() == 12 and Group.objects.count() == 1 and JobDependency.objects.count() == 11
    assert not Job.objects.annotate(n=Count("dependencies")).filter(n__gt=1).exists()
