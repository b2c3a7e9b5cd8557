"""The rows that ``sync_jobs`` writes, and those it does not change."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker.declared.loading import load_declared_jobs
from chroniker.declared.sync import sync_declared_jobs
from chroniker.models import Group, Job
from tests.integration.declared.synced_jobs import NIGHT, row, the_job
from tests.support.declared_app import Shop
from tests.support.factories import a_booked_job, a_dependency, a_job

pytestmark = pytest.mark.django_db


def test_a_declared_job_is_created(shop: Shop) -> None:
    shop.jobs(NIGHT.format(', timezone="Europe/Paris", max_retries=2, enabled=False'))
    assert row(shop.sync()) == ["night", "created", "disabled, as declared"]
    job = the_job()
    assert (job.cron, job.timezone, job.max_retries, job.enabled) == ("0 3 * * *", "Europe/Paris", 2, False)
    assert job.managed_by == f"{shop.name}.jobs.night" and job.is_declared
    assert job.edited_at is not None  # the next tick books it


def test_unchanged_declarations_write_nothing(shop: Shop) -> None:
    a_job(name="by hand")
    shop.jobs(
        """
        early = chroniker.job(name="early", command="noop", cron="0 2 * * *")
        night = chroniker.job(name="night", command="noop", cron="0 3 * * *", group="reports", after=["early"])
        """
    )
    shop.sync()
    Job.objects.update(edited_at=None)
    with CaptureQueriesContext(connection) as captured:
        output = shop.sync()
    assert output == "Jobs declared in code: 2 unchanged.\n"
    written = [each["sql"] for each in captured if each["sql"].split()[0] in ("UPDATE", "INSERT", "DELETE")]
    assert written == []
    assert not Job.objects.exclude(edited_at=None).exists()


def test_a_changed_schedule_is_rebooked(shop: Shop) -> None:
    shop.jobs(NIGHT.format(""))
    shop.sync()
    Job.objects.update(edited_at=None)
    shop.jobs(NIGHT.format(", max_retries=2"))
    assert row(shop.sync()) == ["night", "updated", "max_retries: 0 → 2"]
    assert (the_job().max_retries, the_job().edited_at) == (2, None)
    shop.jobs(NIGHT.format(", max_retries=2").replace("0 3", "0 4"))
    assert row(shop.sync()) == ["night", "updated", "cron: '0 3 * * *' → '0 4 * * *'"]
    assert the_job().edited_at is not None


def test_only_changed_schedules_are_rebooked(shop: Shop) -> None:
    source = """
        one = chroniker.job(name="one", command="noop", cron="0 3 * * *"{})
        two = chroniker.job(name="two", command="noop", cron="{} 3 * * *")
        """
    shop.jobs(source.format("", 0))
    shop.sync()
    Job.objects.update(edited_at=None)
    shop.jobs(source.format(", max_retries=2", 1))
    shop.sync()
    assert (the_job("one").max_retries, the_job("two").cron) == (2, "1 3 * * *")
    assert the_job("one").edited_at is None and the_job("two").edited_at is not None


def test_fields_that_are_not_declared_can_be_edited(shop: Shop) -> None:
    shop.jobs(NIGHT.format(", enabled=True"))
    shop.sync()
    other = a_job(name="other")
    a_dependency(the_job(), other)
    Job.objects.filter(name="night").update(enabled=False, timeout_seconds=7, group=Group.objects.create(name="g"))
    shop.jobs(NIGHT.format(", enabled=True, max_retries=1"))
    assert row(shop.sync())[1] == "updated"
    job = the_job()
    assert (job.enabled, job.timeout_seconds, job.max_retries) == (False, 7, 1)
    assert job.group is not None and job.dependencies.count() == 1


def test_command_and_schedule_belong_to_the_declaration(shop: Shop) -> None:
    shop.jobs(NIGHT.format(', timezone="Europe/Paris", args="--verbosity 2"'))
    shop.sync()
    shop.jobs(NIGHT.format(""))
    assert "timezone: 'Europe/Paris' → 'UTC'" in row(shop.sync())[2]
    Job.objects.filter(name="night").update(frequency="DAILY")
    shop.sync()
    assert (the_job().timezone, the_job().args, the_job().frequency) == ("UTC", "", "CRON")


def test_an_existing_job_is_refused_without_adopt(shop: Shop) -> None:
    by_hand = a_booked_job(name="night", cron="0 5 * * *", enabled=False, max_retries=3)
    shop.jobs(NIGHT.format("") + '\nother = chroniker.job(name="other", command="noop", cron="0 3 * * *")')
    output = shop.sync()
    assert row(output) == ["night", "refused", "a job with this name was created by hand; --adopt takes it over"]
    assert row(output, "other")[1] == "created"
    assert "ERROR: Not all declared jobs are in the database." in output
    assert (the_job().cron, the_job().managed_by, the_job().edited_at) == ("0 5 * * *", "", None)
    assert row(shop.sync("--adopt"))[1] == "taken over"
    assert (the_job().pk, the_job().cron, the_job().enabled) == (by_hand.pk, "0 3 * * *", False)
    assert the_job().is_declared and the_job().max_retries == 3
    assert "ERROR" not in shop.sync()


def test_a_removed_declaration_disables_its_job_once(shop: Shop) -> None:
    shop.jobs(NIGHT.format(""))
    shop.sync()
    shop.jobs("")
    assert row(shop.sync()) == ["night", "removed", f"disabled; no longer declared in {shop.name}.jobs.night"]
    assert not the_job().enabled and not the_job().is_declared
    assert the_job().edited_at is not None
    Job.objects.update(enabled=True)  # by a user who wants to keep it
    assert shop.sync() == "No jobs are declared in code.\n"
    assert the_job().enabled


@pytest.mark.parametrize("enabled", [True, False])
def test_a_restored_declaration_restores_enabled(shop: Shop, enabled: bool) -> None:
    shop.jobs(NIGHT.format(""))
    shop.sync()
    Job.objects.update(enabled=enabled)
    shop.jobs("")
    shop.sync()
    assert not the_job().enabled
    shop.jobs(NIGHT.format(""))
    assert row(shop.sync())[1] == "declared again"
    assert the_job().enabled == enabled and the_job().is_declared
    assert shop.sync() == "Jobs declared in code: 1 unchanged.\n"


def test_a_moved_declaration_keeps_its_job(shop: Shop) -> None:
    shop.jobs(NIGHT.format(""))
    shop.sync()
    pk = the_job().pk
    shop.jobs(NIGHT.replace("night =", "nightly =").format(""))
    assert row(shop.sync())[1] == "updated"
    assert (the_job().pk, the_job().managed_by) == (pk, f"{shop.name}.jobs.nightly")


@pytest.mark.parametrize("word", ["--dry-run", "--check"])
def test_dry_run_and_check_print_the_changes(shop: Shop, word: str) -> None:
    shop.jobs(NIGHT.format(', group="reports"'))
    output = shop.sync(word)
    assert row(output)[:2] == ["night", "created"]
    assert ("ERROR" in output) == (word == "--check")
    assert not Job.objects.exists() and not Group.objects.exists()
    shop.sync()
    assert "ERROR" not in shop.sync(word)
    shop.jobs("")
    assert row(shop.sync(word))[1] == "removed"
    assert the_job().enabled


def test_an_invalid_declaration_prevents_all_changes(shop: Shop) -> None:
    shop.jobs(NIGHT.format(""))
    shop.sync()
    shop.jobs(NIGHT.format("").replace("0 3", "61 3") + "\n" + NIGHT.replace("night", "early").format(""))
    output = shop.sync()
    assert "ERROR: Nothing was changed." in output and f"{shop.name}.jobs.night" in output and "cron" in output
    assert [job.name for job in Job.objects.filter(enabled=True)] == ["night"]


def test_the_number_of_statements_is_constant(shop: Shop) -> None:
    source = """
        EACH = [
            chroniker.job(
                name=f"part {n}", command="noop", cron=f"{n} HOUR * * *", group=f"group {n}",
                after=[f"part {n - 1}"] if n else [],
            )
            for n in range(MANY)
        ]
        """
    counts = []
    for many in (3, 15):
        Job.objects.all().delete()
        Group.objects.all().delete()
        for hour in ("1", "2"):  # created, then updated
            shop.jobs(source.replace("HOUR", hour).replace("MANY", str(many)))
            declared, problems = load_declared_jobs()
            assert problems == []
            with CaptureQueriesContext(connection) as captured:
                assert len(sync_declared_jobs(declared, by="a test")) == many
            counts.append(len(captured))
    assert counts[:2] == counts[2:]
