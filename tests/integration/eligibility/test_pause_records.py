"""What the database says of pauses: of which jobs, by whom and why, and in which words people read it."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import pauses
from chroniker.eligibility.pauses import Pause
from chroniker.models import Group, Job, JobState, Switch
from tests.support.factories import a_booked_job

pytestmark = pytest.mark.django_db


def are_all_jobs_paused() -> bool:
    a_booked_job()
    return JobState.objects.filter(pauses.all_jobs_paused_condition()).exists()


def test_one_group_is_paused_and_resumed_without_the_others() -> None:
    first, second, third = (Group.objects.create(name=name) for name in ("first", "second", "third"))
    assert pauses.pause("ann", group=first)
    assert set(pauses.read_group_pauses()) == {first.pk}
    assert pauses.global_pause() is None and not are_all_jobs_paused()
    assert pauses.pause("bob", group=second)
    assert pauses.resume(first)
    assert set(pauses.read_group_pauses()) == {second.pk}
    assert not pauses.resume(first) and not pauses.resume(third), "they are not paused"
    assert [group.resumed_at is not None for group in Group.objects.order_by("name")] == [True, False, False]


def test_a_pause_of_all_jobs_pauses_no_group_and_its_end_ends_that_of_no_group() -> None:
    group = Group.objects.create(name="reports")
    assert not pauses.resume()
    assert pauses.pause("ann") and are_all_jobs_paused()
    assert pauses.read_group_pauses() == {}
    pauses.pause("bob", group=group)
    assert pauses.resume() and not are_all_jobs_paused()
    assert set(pauses.read_group_pauses()) == {group.pk}


def test_who_pauses_and_why_is_cut_to_what_can_be_stored_and_not_changed_by_a_second_request() -> None:
    assert pauses.pause(200 * "a", f"  {600 * 'b'}  ")
    first = Switch.objects.get()
    assert (first.paused_by, first.paused_reason) == (150 * "a", 500 * "b")
    assert not pauses.pause("bob", "another reason")
    again = Switch.objects.get()
    assert (again.paused_at, again.paused_by, again.paused_reason) == (first.paused_at, 150 * "a", 500 * "b")
    pauses.resume()
    row = Switch.objects.get()
    assert (row.paused_at, row.paused_by, row.paused_reason) == (None, "", "")


def test_each_change_of_a_pause_lets_the_alerts_of_its_jobs_be_checked() -> None:
    group = Group.objects.create(name="reports")
    assert pauses.pause("ann", group=group)
    assert Group.objects.get().alert_revision == 1
    assert pauses.resume(group)
    assert Group.objects.get().alert_revision == 2


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        ("", "by ann."),
        ("a move", "by ann. a move."),
        ("a move.", "by ann. a move."),
        ("a move!", "by ann. a move!"),
        ("why?", "by ann. why?"),
        ("a move…", "by ann. a move…"),
        ("a (long) move)", "by ann. a (long) move)."),
    ],
)
def test_a_pause_is_described_in_sentences(reason: str, end: str) -> None:
    everything = str(Pause(since=database_now(), paused_by="ann", reason=reason))
    assert everything.startswith("The scheduler has been paused since ") and everything.endswith(end)
    group = str(Pause("reports", database_now(), "ann", reason))
    assert group.startswith("The group “reports” has been paused since ") and group.endswith(end)


def test_a_pause_by_the_setting_has_no_time_and_a_copied_database_is_described_as_such() -> None:
    with override_settings(CHRONIKER_PAUSED=True):
        assert str(pauses.global_pause()) == "The scheduler is paused."
    pauses.pause("ann")
    since = database_now()
    Switch.objects.update(copied_since=since)
    found = pauses.global_pause()
    assert found == Pause(since=since, is_copy=True)
    assert str(found).startswith("This database is a copy of another one")


def test_within_a_page_the_pause_is_read_once_and_afterwards_again() -> None:
    with pauses.cache_global_pause():
        assert pauses.global_pause() is None
        pauses.pause("ann")
        with CaptureQueriesContext(connection) as statements:
            assert pauses.global_pause() is None
        assert len(statements) == 0
    assert pauses.global_pause() is not None
    with pauses.cache_global_pause():
        pause = pauses.global_pause()
        pauses.resume()
        assert pause is not None and pauses.global_pause() == pause
    assert pauses.global_pause() is None


def test_each_job_has_the_pause_of_its_own_group_whether_the_group_is_loaded_or_not() -> None:
    paused, other, running = (Group.objects.create(name=name) for name in ("reports", "other", "running"))
    for group in (paused, other):
        pauses.pause(f"{group} admin", group=group)
    jobs = [a_booked_job(group=Group.objects.get(pk=group.pk)) for group in (paused, other, running)]
    without = a_booked_job()
    for loaded in (Job.objects.select_related("group"), Job.objects.all()):
        rows = list(loaded.filter(pk__in=[*(job.pk for job in jobs), without.pk]))
        found = {pk: (each.group, each.paused_by) for pk, each in pauses.read_pauses_of_jobs(rows).items()}
        assert found == {jobs[0].pk: ("reports", "reports admin"), jobs[1].pk: ("other", "other admin")}
    with CaptureQueriesContext(connection) as statements:
        assert len(pauses.read_pauses_of_jobs(Job.objects.all())) == 2
    assert len(statements) == 3, "the jobs, the switch and the groups"
    assert pauses.read_pauses_of_jobs([without]) == {}
    pauses.pause("ann")
    assert {each.paused_by for each in pauses.read_pauses_of_jobs([*jobs, without]).values()} == {"ann"}
    assert len(pauses.read_pauses_of_jobs([*jobs, without])) == 4
    with pauses.cache_global_pause(), CaptureQueriesContext(connection) as statements:
        pauses.resume()
        pauses.read_pauses_of_jobs(Job.objects.filter(pk=jobs[0].pk).select_related("group"))
    assert not [each for each in statements if 'FROM "chroniker_group"' in each["sql"].replace("`", '"')]
