"""Dependencies, groups and calendars of declared jobs."""

from __future__ import annotations

import pytest

from chroniker.models import Group, Job, JobDependency
from tests.integration.declared.synced_jobs import NIGHT, row, the_job
from tests.support.declared_app import Shop
from tests.support.factories import a_dependency, a_job

pytestmark = pytest.mark.django_db


def test_dependencies_keep_their_conditions(shop: Shop) -> None:
    by_hand = a_job(name="by hand")
    source = """
        night = chroniker.job(name="night", command="noop", cron="0 3 * * *", after={})
        early = chroniker.job(name="early", command="noop", cron="0 2 * * *")
        """
    shop.jobs(source.format(["early", "by hand"]))
    shop.sync()
    assert {each.dependee.name for each in JobDependency.objects.filter(dependent=the_job())} == {"early", "by hand"}
    JobDependency.objects.update(wait_for_success=False)
    shop.jobs(source.format(["early"]))
    assert row(shop.sync()) == ["night", "updated", "waits for early"]
    left = JobDependency.objects.get()
    assert (left.dependee, left.wait_for_success) == (the_job("early"), False)
    shop.jobs(source.format([]))
    assert row(shop.sync())[2] == "waits for none"
    assert not JobDependency.objects.exists() and Job.objects.filter(pk=by_hand.pk).exists()


def test_a_dependency_on_a_missing_job_is_refused(shop: Shop) -> None:
    shop.jobs(
        """
        night = chroniker.job(name="night", command="noop", cron="0 3 * * *", after=["early"])
        late = chroniker.job(name="late", command="noop", cron="0 4 * * *", after=["night"])
        """
    )
    output = shop.sync()
    assert row(output) == ["night", "refused", "it depends on “early”, which does not exist"]
    assert row(output, "late")[1] == "refused"
    assert not Job.objects.exists()


def test_a_cycle_with_existing_dependencies_is_refused(shop: Shop) -> None:
    shop.jobs(NIGHT.format(""))
    shop.sync()
    by_hand = a_job(name="by hand")
    a_dependency(by_hand, the_job())
    shop.jobs(NIGHT.format(', after=["by hand"]'))
    output = row(shop.sync())
    assert output[1] == "refused" and "“night” → “by hand”" in output[2]
    assert not JobDependency.objects.filter(dependent=the_job()).exists()


def test_an_existing_cycle_is_left_alone(shop: Shop) -> None:
    one, two = a_job(name="one"), a_job(name="two")
    a_dependency(one, two)
    a_dependency(two, one)
    shop.jobs(NIGHT.format(', after=["one"]'))
    assert row(shop.sync())[1] == "created"


def test_groups_are_created_and_calendars_must_exist(shop: Shop) -> None:
    from chroniker.models import Calendar

    shop.jobs(NIGHT.format(', group="reports", calendar="holidays"'))
    assert row(shop.sync()) == ["night", "refused", "there is no calendar “holidays”; add it in the admin"]
    assert not Group.objects.exists()
    holidays = Calendar.objects.create(name="holidays")
    shop.sync()
    assert (the_job().group, the_job().calendar) == (Group.objects.get(name="reports"), holidays)
    shop.jobs(NIGHT.format(', group="others", calendar=None'))
    assert row(shop.sync())[2] == "group: 'others'; calendar: None"
    assert (the_job().group, the_job().calendar) == (Group.objects.get(name="others"), None)
    assert shop.sync() == "Jobs declared in code: 1 unchanged.\n"
