"""Channels and tags of declared jobs."""

from __future__ import annotations

import pytest

from chroniker.declared.loading import load_declared_jobs
from chroniker.models import Job, Tag
from tests.integration.declared.synced_jobs import NIGHT, row, the_job
from tests.support.channels import a_channel
from tests.support.declared_app import Shop

pytestmark = pytest.mark.django_db


def channels_of(name: str = "night") -> set[str]:
    return set(the_job(name).channels.values_list("name", flat=True))


def test_declared_channels_are_set_and_changed(shop: Shop) -> None:
    for name in ("ops", "chat"):
        a_channel(name=name)
    shop.jobs(NIGHT.format(', channels=["ops"]'))
    shop.sync()
    assert channels_of() == {"ops"}
    assert shop.sync() == "Jobs declared in code: 1 unchanged.\n"
    shop.jobs(NIGHT.format(', channels=["ops", "chat"]'))
    assert row(shop.sync()) == ["night", "updated", "channels: ops, chat"]
    assert channels_of() == {"ops", "chat"}
    shop.jobs(NIGHT.format(", channels=[]"))
    shop.sync()
    assert channels_of() == set()


def test_channels_that_are_not_declared_belong_to_people(shop: Shop) -> None:
    shop.jobs(NIGHT.format(""))
    shop.sync()
    the_job().channels.add(a_channel(name="ops"))
    shop.sync()
    assert channels_of() == {"ops"}


def test_a_channel_that_does_not_exist_is_refused(shop: Shop) -> None:
    shop.jobs(NIGHT.format(', channels=["opps"]'))
    assert "there is no channel “opps”; add it in the admin" in shop.sync()
    assert not Job.objects.exists()


def tags_of(name: str = "night") -> list[str]:
    return [tag.name for tag in the_job(name).tags.all()]


def test_declared_tags_are_created_set_and_changed(shop: Shop) -> None:
    shop.jobs(NIGHT.format(', tags=["Nightly", "etl"]'))
    shop.sync()
    assert tags_of() == ["etl", "nightly"]
    assert shop.sync() == "Jobs declared in code: 1 unchanged.\n"
    shop.jobs(NIGHT.format(', tags=["etl", "orders"]'))
    assert row(shop.sync()) == ["night", "updated", "tags: etl orders"]
    assert tags_of() == ["etl", "orders"]
    shop.jobs(NIGHT.format(", tags=[]"))
    assert row(shop.sync()) == ["night", "updated", "tags: none"]
    assert tags_of() == []


def test_tags_that_are_not_declared_belong_to_people(shop: Shop) -> None:
    shop.jobs(NIGHT.format(""))
    shop.sync()
    the_job("night").tags.set(Tag.objects.get_or_create_tags(["mine"]))
    shop.sync()
    assert tags_of() == ["mine"]


@pytest.mark.parametrize(
    ("tags", "error"),
    [
        ('["a/b"]', "“a/b” is not a valid tag."),
        ('"etl"', 'must be a list of names, like ["nightly"]'),
        ("[f't{n}' for n in range(21)]", "A job can have at most 20 tags."),
    ],
)
def test_invalid_tags_are_a_problem_of_the_declaration(shop: Shop, tags: str, error: str) -> None:
    shop.jobs(NIGHT.format(f", tags={tags}"))
    _found, problems = load_declared_jobs()
    assert [problem.field for problem in problems] == ["tags"] and error in problems[0].message
