"""``triggered_by``: the triggers that ``sync_jobs`` writes."""

from __future__ import annotations

import pytest
from django.urls import reverse

from chroniker.declared.loading import load_declared_jobs
from chroniker.models import Job, JobTrigger
from tests.support.declared_app import Shop
from tests.support.factories import a_job

pytestmark = pytest.mark.django_db

LOAD = 'load = chroniker.job(name="load", command="noop", cron="0 3 * * *")\n'
REPORT = 'report = chroniker.job(name="report", command="noop", frequency="MANUAL"{})\n'


def triggers() -> set[tuple[str, str, str]]:
    return set(JobTrigger.objects.values_list("source__name", "target__name", "on"))


def test_declared_triggers_are_created_changed_and_removed(shop: Shop) -> None:
    shop.jobs(LOAD + REPORT.format(', triggered_by={"load": "SUCCEEDED"}'))
    shop.sync()
    assert triggers() == {("load", "report", "SUCCEEDED")}
    shop.jobs(LOAD + REPORT.format(', triggered_by={"load": "ENDED"}'))
    assert "started by load (ENDED)" in shop.sync()
    assert triggers() == {("load", "report", "ENDED")}
    shop.jobs(LOAD + REPORT.format(", triggered_by={}"))
    assert "started by none" in shop.sync()
    assert triggers() == set()


def test_triggers_that_are_not_declared_stay(shop: Shop) -> None:
    shop.jobs(LOAD + REPORT.format(""))
    shop.sync()
    load, report = Job.objects.get(name="load"), Job.objects.get(name="report")
    JobTrigger.objects.create(source=load, target=report)
    shop.sync()
    assert triggers() == {("load", "report", "SUCCEEDED")}


def test_unchanged_triggers_keep_their_rows(shop: Shop) -> None:
    shop.jobs(LOAD + REPORT.format(', triggered_by={"load": "FAILED"}'))
    shop.sync()
    before = JobTrigger.objects.get().pk
    shop.sync()
    assert JobTrigger.objects.get().pk == before


@pytest.mark.parametrize("value", ['{"load": "SUCCESS"}', '["load"]', '{1: "ENDED"}', '"load"'])
def test_what_is_no_trigger_is_refused(shop: Shop, value: str) -> None:
    shop.jobs(LOAD + REPORT.format(f", triggered_by={value}"))
    _declared, problems = load_declared_jobs()
    assert any("triggered_by" in str(each) and "SUCCEEDED, FAILED, ENDED" in str(each) for each in problems)


def test_a_source_that_does_not_exist_is_refused(shop: Shop) -> None:
    shop.jobs(REPORT.format(', triggered_by={"gone": "ENDED"}'))
    assert "it depends on “gone”, which does not exist" in shop.sync()
    assert not Job.objects.exists()


def test_a_circle_over_a_declared_trigger_and_a_stored_one_is_refused(shop: Shop) -> None:
    load = a_job(name="load")
    shop.jobs(REPORT.format(""))
    shop.sync()
    JobTrigger.objects.create(source=Job.objects.get(name="report"), target=load)
    shop.jobs(REPORT.format(', triggered_by={"load": "ENDED"}'))
    assert "cycle" in shop.sync()
    assert triggers() == {("report", "load", "SUCCEEDED")}


def test_the_table_of_a_declared_target_cannot_be_changed(shop: Shop, admin_client: object) -> None:
    shop.jobs(LOAD + REPORT.format(', triggered_by={"load": "FAILED"}'))
    shop.sync()
    report = Job.objects.get(name="report")
    page = admin_client.get(reverse("admin:chroniker_job_change", args=[report.pk]))  # type: ignore[attr-defined]
    text = page.content.decode()
    assert "started_by-0-DELETE" not in text
    assert "starts-TOTAL_FORMS" in text
