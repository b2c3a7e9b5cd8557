from __future__ import annotations

import datetime as dt
import json

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db.models import Q
from django.utils import timezone

from chroniker.exceptions import MonitorError
from chroniker.models import Job, Outbox, Run
from chroniker.monitors.conditions import filtered_records, find_model, parse_condition
from chroniker.monitors.findings import count_records


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("is_staff=true", True),
        ("is_staff=No", False),
        ("id__in=1, 2,3", [1, 2, 3]),
        ("id__range=1,3", (1, 3)),
        ("pk=7", 7),
        ("email__isnull=false", False),
        ("email=", ""),
        ("username__contains=a=b", "a=b"),
        ("date_joined__year__gte=2026", 2026),
        ("date_joined__date=2026-01-02", dt.date(2026, 1, 2)),
        ("date_joined__lt=2026-01-02", dt.datetime(2026, 1, 2, tzinfo=dt.UTC)),
        ("date_joined__lt=2026-01-02 03:04", dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)),
        ("date_joined__lt=2026-01-02T03:04+01:00", dt.datetime(2026, 1, 2, 2, 4, tzinfo=dt.UTC)),
        ("groups=3", 3),
        ("groups__name__istartswith=ed", "ed"),
        ("logentry__action_flag=2", 2),
        ("chroniker_jobs__runs__token__gte=4", 4),
    ],
)
def test_values_are_converted_to_the_type_of_their_field(text: str, value: object) -> None:
    assert parse_condition(User, text) == Q(**{text.partition("=")[0]: value})


def test_values_of_json_fields_are_parsed() -> None:
    assert parse_condition(Outbox, 'payload={"a": [1]}') == Q(payload={"a": [1]})
    assert parse_condition(Outbox, "payload__to=someone") == Q(payload__to="someone")
    assert parse_condition(Outbox, "payload__has_key=to") == Q(payload__has_key="to")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("username", "“username” is not a condition: write FIELD=VALUE"),
        ("=x", "is not a condition"),
        (
            "usernam=x",
            "auth.User has no field “usernam”. Did you mean “username”? The fields of the model: chroniker_jobs,",
        ),
        ("groups__nam=x", "there is no field or lookup “nam”. Did you mean “name”?"),
        ("date_joined__les=now", "there is no field or lookup “les”"),
        ("date_joined__yaer__gt=1", "Did you mean “year”?"),
        ("id=x", "id: “x” value must be an integer."),
        ("id__in=1,x", "id__in: “x” value must be an integer."),
        ("id__range=1", "is not a range: write its start and end, separated by a comma"),
        ("date_joined__lt=2026-02-30", "is not a date: write 2026-11-24"),
        ("date_joined__lt=now-7x", "is not an offset"),
        ("is_staff=perhaps", "write true or false"),
        ("date_joined__lt={% now_offset %}", "The template is not valid"),
    ],
)
def test_errors_name_the_mistake_and_a_valid_form(text: str, named: str) -> None:
    with pytest.raises(MonitorError) as refused:
        parse_condition(User, text)
    assert named in str(refused.value)


def test_generic_relations_are_compared_by_their_parts() -> None:
    assert parse_condition(LogEntry, "object_id=7") == Q(object_id="7")


def test_unknown_choices_are_refused() -> None:
    assert parse_condition(Run, "status=LOST") == Q(status="LOST")
    assert parse_condition(Run, "status__startswith=L") == Q(status__startswith="L")
    with pytest.raises(MonitorError, match="status__in: “LOOST” is not one of the choices of this field: CLAIMED"):
        parse_condition(Run, "status__in=LOST,LOOST")


@pytest.mark.parametrize("text", ["User", "auth.", ".User", ""])
def test_a_model_needs_its_app_label(text: str) -> None:
    with pytest.raises(MonitorError, match=r"write APP\.MODEL"):
        find_model(text)


def test_a_similar_model_is_suggested() -> None:
    assert find_model("auth.user") is User
    with pytest.raises(MonitorError, match=r"Did you mean “chroniker\.Job”\?"):
        find_model("chronikr.Job")


@pytest.mark.django_db
def test_a_record_with_many_matching_relations_counts_once() -> None:
    user = User.objects.create(username="anna")
    user.groups.set([Group.objects.create(name=name) for name in ("editors", "editors of notes")])
    found = filtered_records("auth.User", ["groups__name__startswith=editors"], [])
    assert count_records(found, show=5, source="it").count == 1


@pytest.mark.django_db
def test_all_filters_and_no_exclude_must_match() -> None:
    for name, staff in (("a", True), ("b", True), ("c", False)):
        User.objects.create(username=name, is_staff=staff)
    found = filtered_records("auth.User", ["is_staff=true", "username__lte=b"], ["username=a", "username=c"])
    assert [user.username for user in found] == ["b"]


@pytest.mark.django_db
def test_days_are_in_the_current_time_zone() -> None:
    User.objects.create(username="anna", last_login=dt.datetime(2026, 1, 1, 23, 30, tzinfo=dt.UTC))
    with timezone.override("Europe/Paris"):
        assert filtered_records("auth.User", ["last_login__gte=2026-01-02"], []).count() == 1
    assert filtered_records("auth.User", ["last_login__gte=2026-01-02"], []).count() == 0


@pytest.mark.django_db
def test_only_the_shown_records_are_kept() -> None:
    found = count_records((json.dumps(number) for number in range(1000)), show=2, source="it")
    assert (found.count, found.first_record_texts) == (1000, ["0", "1"])
    assert count_records(Job.objects, show=1, source="it").count == 0
    assert count_records(True, show=1, source="it").count == 1


@pytest.mark.parametrize("answer", [None, -1, "text", b"bytes", 1.5])
def test_a_result_that_cannot_be_counted_is_refused(answer: object) -> None:
    with pytest.raises(MonitorError, match=r"shop.late returned .* It must return a queryset"):
        count_records(answer, show=1, source="shop.late")
