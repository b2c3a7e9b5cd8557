from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.template import Context, Engine, Template, TemplateSyntaxError
from django.test import override_settings
from django.utils import timezone

from chroniker.exceptions import MonitorError
from chroniker.monitors.relative_times import add_offset, parse_relative_time

PARIS = ZoneInfo("Europe/Paris")
NOON = dt.datetime(2026, 3, 30, 12, tzinfo=PARIS)  # a day and a half after the clocks went forward


@pytest.mark.parametrize(
    ("offset", "moment"),
    [
        (0, NOON),
        (-7, dt.datetime(2026, 3, 23, 12, tzinfo=PARIS)),
        ("-7d", dt.datetime(2026, 3, 23, 12, tzinfo=PARIS)),
        ("-1w", dt.datetime(2026, 3, 23, 12, tzinfo=PARIS)),
        ("-168h", dt.datetime(2026, 3, 23, 11, tzinfo=PARIS)),
        ("+1d6h30m10s", dt.datetime(2026, 3, 31, 18, 30, 10, tzinfo=PARIS)),
        ("2D", dt.datetime(2026, 4, 1, 12, tzinfo=PARIS)),
    ],
)
def test_days_are_calendar_days_and_hours_are_real_time(offset: str | int, moment: dt.datetime) -> None:
    with timezone.override(PARIS):
        assert add_offset(offset, NOON) == moment


@pytest.mark.parametrize("offset", ["", "soon", "7x", "--7", "1.5d", "-", "7 d", "-999999w"])
def test_invalid_offsets_are_refused_with_an_example(offset: str) -> None:
    with pytest.raises(MonitorError, match=r"-2w, -7d|outside the years 1 to 9999"):
        add_offset(offset)


def test_now_and_today() -> None:
    with time_machine.travel(NOON, tick=False), timezone.override(PARIS):
        assert parse_relative_time("now") == NOON
        assert parse_relative_time(" Today ") == dt.datetime(2026, 3, 30, tzinfo=PARIS)
        assert parse_relative_time("today-1") == dt.datetime(2026, 3, 29, tzinfo=PARIS)
        assert parse_relative_time("now - 2h") == dt.datetime(2026, 3, 30, 10, tzinfo=PARIS)
    assert parse_relative_time("nowhere") is None and parse_relative_time("2026-03-30") is None


def test_the_tag_works_in_project_templates() -> None:
    template = Template('{% load chroniker_tags %}{% now_offset "Y-m-d" -7 %} {% now_offset "H:i" "-2h30m" %}')
    with time_machine.travel(NOON, tick=False), timezone.override(PARIS):
        assert template.render(Context()) == "2026-03-23 09:30"


@override_settings(TIME_ZONE="UTC")
def test_the_tag_reports_an_invalid_offset() -> None:
    engine = Engine(libraries={"chroniker_tags": "chroniker.templatetags.chroniker_tags"})
    template = engine.from_string('{% load chroniker_tags %}{% now_offset "Y" "soon" %}')
    with pytest.raises(TemplateSyntaxError, match="“soon” is not an offset"):
        template.render(Context())
