from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from django.template import Context, Template
from django.utils import timezone, translation

from chroniker.wording import formats
from chroniker.wording.states import STATES_BY_CODE, state

NOW = dt.datetime(2026, 11, 25, 8, 41, 12, tzinfo=dt.UTC)  # a Wednesday; 09:41:12 in Berlin


@pytest.fixture(autouse=True)
def _in_berlin() -> Iterator[None]:
    with timezone.override("Europe/Berlin"), translation.override("en"):
        yield


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"), (0.64, "640 ms"), (0.9996, "1 s"), (4.2, "4.2 s"), (9.96, "10 s"), (38, "38 s"), (59.7, "1 min"),
        (72, "1 min 12 s"), (382, "6 min 22 s"), (600, "10 min"), (3120, "52 min"), (3599, "1 h"), (8700, "2 h 25 min"),
        (273_600, "3 d 4 h"), (None, formats.NO_VALUE_TEXT), (-3, "0 ms"),
    ],
)  # fmt: skip
def test_a_duration_has_at_most_two_units(seconds: float | None, text: str) -> None:
    assert formats.short_duration(seconds) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (dt.timedelta(), "09:41"),
        (dt.timedelta(days=2), "Mon 09:41"),
        (dt.timedelta(days=-6), "Tue 09:41"),
        (dt.timedelta(days=7), "18 Nov 09:41"),
        (dt.timedelta(days=400), "21 Oct 2025 10:41"),
    ],
)
def test_a_time_has_the_parts_that_are_not_obvious(ago: dt.timedelta, text: str) -> None:
    assert formats.short_time(NOW - ago, NOW) == text


def test_a_time_in_a_message_names_its_zone() -> None:
    assert formats.zoned_time(NOW) == "2026-11-25 09:41:12 CET"
    assert formats.zoned_time(NOW - dt.timedelta(days=120)) == "2026-07-28 10:41:12 CEST"
    assert formats.zoned_time(None) == formats.NO_VALUE_TEXT


def test_a_time_relative_to_now_has_one_unit() -> None:
    assert formats.relative(NOW - dt.timedelta(seconds=2.9), NOW) == "2 s ago"
    assert formats.relative(NOW + dt.timedelta(minutes=3, seconds=40), NOW) == "in 3 min"
    assert formats.relative(NOW - dt.timedelta(days=4, hours=5), NOW) == "4 d ago"


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (123_456_789, "123456789 per second"), (100, "100 per second"), (17.44, "17.4 per second"),
        (0.1, "6 per minute"), (2 / 3600, "2 per hour"), (2 / 86_400, "2 per day"),
    ],
)  # fmt: skip
def test_a_rate_is_in_a_unit_in_which_it_is_at_least_one(rate: float, text: str) -> None:
    assert formats.rate_in_words(rate) == text


def test_a_share_is_100_percent_only_if_nothing_is_missing() -> None:
    assert formats.percent(1946, 1980) == "98.3 %"
    assert formats.percent(99_999, 100_000) == "99.9 %"
    assert formats.percent(5, 5) == "100 %"
    assert formats.percent(0, 5) == "0 %"
    assert formats.percent(0, 0) == formats.NO_VALUE_TEXT


def test_every_state_has_a_word_a_tone_and_a_symbol_of_the_sprite() -> None:
    sprite = Template('{% include "chroniker/console/sprite.html" %}').render(Context())
    for code, found in STATES_BY_CODE.items():
        assert str(found.word) and found.tone in ("good", "bad", "busy", "wait", "idle"), code
        assert f'id="s-{found.shape}"' in sprite, code


def test_an_unknown_state_is_unknown_and_not_good() -> None:
    assert state("CLAIMED") == STATES_BY_CODE["queued"]
    assert state("undefined") == STATES_BY_CODE["unknown"]
    assert state("unknown").tone == "wait"


def test_the_tags_escape_and_give_a_machine_readable_time() -> None:
    text = '{% load chroniker_tags %}{% state "failed" word=word %} {{ at|short_time:now }} {{ at|relative:now }}'
    html = Template(text).render(Context({"word": "<b>", "at": NOW - dt.timedelta(minutes=5), "now": NOW}))
    assert "&lt;b&gt;" in html and 'data-tone="bad"' in html and "#s-fail" in html
    assert ">09:36</time>" in html and "data-rel>5 min ago</time>" in html
