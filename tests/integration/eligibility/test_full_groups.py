"""How many jobs of a group count as open, and in which words people read that it is full."""

from __future__ import annotations

import pytest

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import groups
from chroniker.models import Group, Lease, Run, Status
from tests.support.factories import a_job

pytestmark = pytest.mark.django_db


def open_jobs(group: Group, n: int, hosts: int = 0) -> None:
    """Jobs with an open run, each with further leases for that many single hosts."""
    now = database_now()
    for number in range(n):
        job = a_job(name=f"{group} {number}", group=group)
        for place in range(hosts + 1):
            slot = str(place or "")
            run = Run.objects.create(job=job, token=place + 1, slot=slot, status=Status.CLAIMED, claimed_at=now)
            Lease.objects.create(run=run, job=job, slot=slot, token=run.token, expires_at=now)


def test_a_run_on_every_host_takes_one_place_of_its_group() -> None:
    wide = Group.objects.create(name="wide", limit=2)
    open_jobs(wide, 1, hosts=3)
    assert groups.count_open_jobs([wide.pk]) == {wide.pk: 1}
    assert groups.read_paused_or_full_group_ids() == []
    assert groups.full_group_texts([wide.pk]) == {}
    Group.objects.update(limit=1)
    assert groups.read_paused_or_full_group_ids() == [wide.pk]
    assert groups.full_group_texts([wide.pk]) == {wide.pk: "its group “wide” is full (1 of 1: wide 0)"}


def test_groups_that_are_paused_or_full_are_found_and_no_others() -> None:
    full, over, room, unlimited, empty = (
        Group.objects.create(name=name, limit=limit)
        for name, limit in (("full", 2), ("over", 1), ("room", 3), ("unlimited", None), ("empty", 1))
    )
    paused = Group.objects.create(name="paused", paused_at=database_now())
    for group in (full, over, room, unlimited):
        open_jobs(group, 2)
    assert groups.read_paused_group_ids() == [paused.pk]
    assert groups.read_paused_or_full_group_ids() == [full.pk, over.pk, paused.pk]
    assert groups.count_open_jobs([full.pk, unlimited.pk, empty.pk]) == {full.pk: 2, unlimited.pk: 2}
    assert groups.count_open_jobs([]) == {}
    asked = [full.pk, room.pk, unlimited.pk, empty.pk]
    assert groups.full_group_texts(asked) == {full.pk: "its group “full” is full (2 of 2: full 0, full 1)"}
    assert groups.full_group_texts([]) == {}


@pytest.mark.parametrize(
    ("n", "names"),
    [
        (5, "5 of 3: night 0, night 1, night 2, night 3, night 4"),
        (6, "6 of 3: night 0, night 1, night 2, night 3, night 4 and 1 more"),
        (8, "8 of 3: night 0, night 1, night 2, night 3, night 4 and 3 more"),
    ],
)
def test_five_open_jobs_of_a_full_group_are_named_and_the_others_counted(n: int, names: str) -> None:
    group = Group.objects.create(name="night", limit=3)
    open_jobs(group, n)
    assert groups.full_group_texts([group.pk]) == {group.pk: f"its group “night” is full ({names})"}


def test_only_groups_with_a_limit_are_counted_for_a_claim() -> None:
    limited, unlimited = Group.objects.create(name="limited", limit=3), Group.objects.create(name="unlimited")
    jobs = [a_job(group=group) for group in (limited, limited, unlimited, None)]
    assert groups.groups_with_limit(jobs) == {limited.pk}
