"""``compiled.fetch`` returns the rows of the queryset, however often and with whatever settings it is compiled."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from django.db.models import QuerySet
from django.test import override_settings

from chroniker.conf import settings
from chroniker.models import Job, compiled
from chroniker.models.compiled import AnyOf, fetch
from tests.support.factories import a_job

pytestmark = pytest.mark.django_db


def names(prefix: str, ids: Collection[int]) -> QuerySet[Job, Any]:
    return Job.objects.filter(AnyOf("pk", ids), name__startswith=prefix).order_by("name").values_list("name", "args")


def for_this_host(ids: Collection[int]) -> QuerySet[Job, Any]:
    return Job.objects.filter(AnyOf("pk", ids), hostname=settings.hostname).values_list("name")


@pytest.mark.parametrize("enabled", [True, False])
def test_each_use_has_its_own_ids_and_inputs(enabled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "ENABLED", enabled)
    jobs = [a_job(name=name, args="--a") for name in ("day 1", "day 2", "night 1")]
    ids = [job.pk for job in jobs]
    assert list(map(tuple, fetch(names, "day", ids=ids))) == [("day 1", "--a"), ("day 2", "--a")]
    assert list(map(tuple, fetch(names, "day", ids=ids[1:]))) == [("day 2", "--a")]
    assert list(map(tuple, fetch(names, "night", ids=ids))) == [("night 1", "--a")]
    assert fetch(names, "day", ids=[]) == []


def test_a_change_of_settings_is_followed_at_once() -> None:
    job = a_job(name="there", hostname="there")
    assert fetch(for_this_host, ids=[job.pk]) == []
    with override_settings(CHRONIKER_HOSTNAME="there"):
        assert [tuple(row) for row in fetch(for_this_host, ids=[job.pk])] == [("there",)]
    assert fetch(for_this_host, ids=[job.pk]) == []
