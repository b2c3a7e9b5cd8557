"""Rules of channels as properties: templates, addresses, and who gets a message."""

from __future__ import annotations

import ipaddress
import json
import tracemalloc
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from chroniker.lifecycle.recipients import Recipients
from chroniker.models import Channel, ChannelKind, channel_template
from chroniker.models.message_events import ALL_EVENTS, RUN_STARTED_EVENT
from chroniker.models.web_addresses import may_be_contacted

TEXTS = st.sampled_from(["plain", "{{ job }}", "a {{text}} b", "{{ title }}{{ url }}"])
TEMPLATES = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def shape(part: Any) -> Any:
    """Everything but the texts."""
    if isinstance(part, dict):
        return {key: shape(each) for key, each in part.items()}
    if isinstance(part, list):
        return [shape(each) for each in part]
    return "text" if isinstance(part, str) else part


@given(st.dictionaries(st.text(max_size=5), TEMPLATES, max_size=3), st.text(max_size=30))
def test_no_value_changes_the_structure_of_a_template(template: dict[str, Any], value: str) -> None:
    filled = channel_template.fill_template(template, dict.fromkeys(channel_template.PLACEHOLDER_NAMES, value))
    assert shape(filled) == shape(template)
    assert shape(json.loads(json.dumps(filled))) == shape(json.loads(json.dumps(template)))


def test_a_filled_template_is_bounded() -> None:
    template = {str(n): "{{ text }}" for n in range(1000)}
    filled = channel_template.fill_template(
        template, dict.fromkeys(channel_template.PLACEHOLDER_NAMES, "x" * 1_000_000)
    )
    assert len(json.dumps(filled)) < 2 * channel_template.MAX_TOTAL_LENGTH


def test_many_placeholders_in_one_text_need_little_memory() -> None:
    values = dict.fromkeys(channel_template.PLACEHOLDER_NAMES, "x" * 1_000_000)
    tracemalloc.start()
    try:
        channel_template.fill_template({"text": "{{ text }}" * 100}, values)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000, "uncut it is a hundred million"


def test_a_template_of_ten_thousand_levels_is_refused() -> None:
    with pytest.raises(ValidationError):
        channel_template.parse_template('{"a":' * 10_000)


@given(st.ip_addresses())
def test_only_public_addresses_are_contacted_unless_they_are_listed(address: Any) -> None:
    text = str(address)
    if not address.is_global or address.is_multicast:
        assert not may_be_contacted("example.com", text, ())
    assert may_be_contacted("example.com", text, ["example.com"])
    assert may_be_contacted("example.com", text, [text])
    assert not may_be_contacted("example.com.evil.test", "10.0.0.1", ["example.com"])


@given(st.ip_addresses(v=4))
def test_an_address_within_another_one_is_judged_by_the_inner_one(inner: ipaddress.IPv4Address) -> None:
    allowed = may_be_contacted("h", str(inner), ())
    assert may_be_contacted("h", f"::ffff:{inner}", ()) == allowed
    assert may_be_contacted(
        "h", str(ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) + int(inner))), ()
    ) == (allowed)


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ("run.failed", "Write a list of events."),
        ({"run.failed": 1}, "Write a list of events."),
        (["run.failed", 7], "Write a list of events."),
        (["run.failed", "run.fialed"], "There is no event “run.fialed”; the events are: "),
    ],
)
def test_events_are_a_list_of_known_events(events: Any, message: str) -> None:
    channel = Channel(name="ops", kind=ChannelKind.SLACK, target="https://hooks.example.com/x", events=events)
    with pytest.raises(ValidationError) as refused:
        channel.clean()
    assert refused.value.message_dict["events"][0].startswith(message)


CHANNELS = st.lists(
    st.builds(
        Channel,
        kind=st.sampled_from(ChannelKind.values),
        is_default=st.booleans(),
        events=st.lists(st.sampled_from(ALL_EVENTS), max_size=3, unique=True),
    ),
    max_size=6,
)


@given(CHANNELS, st.data(), st.sampled_from((RUN_STARTED_EVENT, *ALL_EVENTS)))
def test_one_level_alone_gets_a_message(channels: list[Channel], data: st.DataObject, event: str) -> None:
    for number, channel in enumerate(channels):
        channel.pk = number
    some = st.lists(st.sampled_from(range(len(channels))), unique=True) if channels else st.just([])
    own, group = data.draw(some), data.draw(some)
    found = Recipients({each.pk: each for each in channels}, {1: own}, {2: group}).channels_for(1, 2, event)
    assert all(channel.accepts_event(event) for channel in found)
    for is_check_in in (False, True):
        kind = [each for each in channels if each.is_check_in == is_check_in]
        levels = [[each for each in kind if each.pk in ids] for ids in (own, group)]
        levels.append([each for each in kind if each.is_default])
        first = next((level for level in levels if level), [])
        expected = {each.pk for each in first if each.accepts_event(event)}
        assert {each.pk for each in found if each.is_check_in == is_check_in} == expected
