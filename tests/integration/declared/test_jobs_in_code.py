"""Jobs declared in code: discovered, synced into the database, and marked in the admin."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.test import Client

from chroniker.clock.database_clock import database_now
from chroniker.models import Job, Run, Status
from chroniker.schedule import next_instant_after
from tests.support.admin_pages import open_form, url
from tests.support.declared_app import Shop

pytestmark = pytest.mark.django_db(transaction=True)

DECORATOR = '@chroniker.job(cron="0 3 * * *", timezone="Europe/Paris")'


def manage(shop: Shop, env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "django", *words]
    return subprocess.run(command, env=shop.env(env), capture_output=True, text=True, check=False, timeout=120)


def test_a_decorated_command_becomes_a_job_that_runs(shop: Shop, subprocess_env: dict[str, str]) -> None:
    shop.command("report", DECORATOR)
    done = manage(shop, subprocess_env, "sync_jobs")
    assert (done.returncode, done.stderr) == (0, "") and "report" in done.stdout and "created" in done.stdout
    job = Job.objects.get()
    instant = next_instant_after(job.spec, database_now())
    assert instant is not None and instant.astimezone(ZoneInfo("Europe/Paris")).hour == 3
    assert manage(shop, subprocess_env, "run_job", "report").returncode == 0
    assert Run.objects.get().status == Status.SUCCEEDED


def test_migrate_syncs_a_jobs_module(shop: Shop) -> None:
    shop.jobs('night = chroniker.job(name="night", command="noop", cron="0 3 * * *")')
    call_command("migrate", stdout=io.StringIO(), skip_checks=True)
    assert Job.objects.get().managed_by == f"{shop.name}.jobs.night"


def test_removing_a_declaration_disables_its_job(shop: Shop) -> None:
    shop.command("report", DECORATOR)
    shop.sync()
    shop.command("report", "")
    assert "report  removed  disabled; no longer declared in" in shop.sync()
    assert not Job.objects.get().enabled


def test_the_system_check_names_an_invalid_declaration(shop: Shop, subprocess_env: dict[str, str]) -> None:
    shop.command("report", DECORATOR.replace("0 3", "99 3"))
    done = manage(shop, subprocess_env, "check")
    assert done.returncode == 1
    assert "(chroniker.E020)" in done.stderr and "report.py:3): cron:" in done.stderr


def test_the_admin_shows_declared_jobs_with_a_read_only_schedule(shop: Shop, admin: Client) -> None:
    shop.command("report", DECORATOR)
    shop.sync()
    job = Job.objects.get()
    html = admin.get(url(job)).content.decode()
    where = rf"{shop.name}\.management\.commands\.report\.Command \(\S+report\.py:\d+\)"
    assert re.search(rf"This job is declared in {where}\.", html)
    form = open_form(admin, job)
    form.pop("enabled")
    admin.post(url(job), {**form, "cron": "* * * * *"})
    job.refresh_from_db()
    assert (job.enabled, job.cron) == (False, "0 3 * * *")
