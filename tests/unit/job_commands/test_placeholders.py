"""Placeholders in command lines: what is one, what it becomes, and what is refused."""

from __future__ import annotations

import datetime as dt
import shlex
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from chroniker.exceptions import CommandRefused
from chroniker.job_commands import environment, placeholders, policy
from chroniker.job_commands.placeholders import PLACEHOLDER_NAMES, SAMPLE_VALUES, Values
from chroniker.process.run_variables import CurrentRun

PARIS = ZoneInfo("Europe/Paris")


def values(moment: dt.datetime, **others: object) -> Values:
    fields = {"scheduled_for": moment, "covered_until": moment, "timezone": "Europe/Paris", **others}
    run = {"job_id": 7, "job_name": "report", "run_id": UUID(int=5), "token": 41, "attempt": 2, "trigger": "SCHEDULE"}
    return placeholders.placeholder_values_of_run(CurrentRun(**{**run, **fields}), "worker-3")  # type: ignore[arg-type]


def pieces(*texts: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(texts), max_size=30).map("".join)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def filled(text: str, moment: str = "2026-11-28T03:00+00:00", **others: object) -> str:
    return placeholders.fill(text, values(at(moment), **others))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ scheduled_for }}", "2026-11-28T04:00:00+01:00"),
        ("{{scheduled_for|iso}}", "2026-11-28T04:00:00+01:00"),
        ('{{ scheduled_for | date:"Y-m-d" }}', "2026-11-28"),
        ('{{ scheduled_for|date:"j F Y, H:i" }}', "28 November 2026, 04:00"),
        ("{{ scheduled_for|epoch }}", "1795834800"),
        ('{{ scheduled_for|zone:"UTC"|date:"H:i e" }}', "03:00 UTC"),
        ('{{ scheduled_for|shift:"-1d"|date:"Y-m-d" }}', "2026-11-27"),
        ('{{ scheduled_for|shift:"2w" }}', "2026-12-12T04:00:00+01:00"),
        ('{{ scheduled_for|shift:"+90m" }}', "2026-11-28T05:30:00+01:00"),
        ('{{ scheduled_for|start_of:"week"|date:"Y-m-d l" }}', "2026-11-23 Monday"),
        ('{{ scheduled_for|start_of:"month"|shift:"-1s" }}', "2026-10-31T23:59:59+01:00"),
        ('{{ last_success|date:"Y"|default:"never" }}', "never"),
        ('{{ last_success|default:"" }}', ""),
        ("{{ job }}/{{ job_id }}/{{ token }}-{{ attempt }}", "report/7/41-2"),
        ("{{ run_id }} {{ trigger }} {{ host }}", f"{UUID(int=5)} SCHEDULE worker-3"),
        ("{{{{ scheduled_for }}", "{{ scheduled_for }}"),
        ("{{{ token }}}", "{41}"),
    ],
)
def test_a_placeholder_becomes_its_value(text: str, expected: str) -> None:
    assert filled(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "docker ps --format '{{.Names}}'",
        '{"a": {"b": {"c": 1}}}',
        "{{ host.name }} {{ jobs }} {% now %} {{ }} {{",
        "{{ scheduled_for",
        "\ue000 and \ue031",
    ],
)
def test_everything_else_stays_as_it_is(text: str) -> None:
    assert filled(text) == text
    assert placeholders.extract_placeholders(text) == (text, [])


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-03-29T12:00+02:00", "2026-03-28T12:00:00+01:00"),  # over the skipped hour: 23 hours
        ("2026-03-30T02:30+02:00", "2026-03-29T03:30:00+02:00"),  # 02:30 does not exist: later by the skipped hour
        ("2026-10-25T12:00+01:00", "2026-10-24T12:00:00+02:00"),  # over the repeated hour: 25 hours
        ("2026-10-26T02:30+01:00", "2026-10-25T02:30:00+02:00"),  # the first of the two
    ],
)
def test_a_shift_by_days_keeps_the_wall_clock_time_over_clock_changes(moment: str, expected: str) -> None:
    assert filled('{{ scheduled_for|shift:"-1d" }}', moment) == expected


def test_a_shift_by_hours_is_real_time() -> None:
    assert filled('{{ scheduled_for|shift:"-24h" }}', "2026-03-29T12:00+02:00") == "2026-03-28T11:00:00+01:00"


@pytest.mark.parametrize(
    ("moment", "unit", "expected"),
    [
        ("2026-10-25T02:30+01:00", "hour", "2026-10-25T02:00:00+01:00"),  # of the second 02:00
        ("2026-10-25T12:00+01:00", "day", "2026-10-25T00:00:00+02:00"),
        ("2026-03-29T12:00+02:00", "week", "2026-03-23T00:00:00+01:00"),  # a Sunday: of the Monday before
        ("2026-03-30T00:00+02:00", "week", "2026-03-30T00:00:00+02:00"),
        ("2026-01-01T00:30+01:00", "month", "2026-01-01T00:00:00+01:00"),
    ],
)
def test_the_start_of_a_unit_is_that_of_the_wall_clock(moment: str, unit: str, expected: str) -> None:
    assert filled(f'{{{{ scheduled_for|start_of:"{unit}" }}}}', moment) == expected


def test_a_value_is_never_two_words_whatever_its_place() -> None:
    line = "bare {{ job }} 'single {{ job }}' \"double {{ job }}\" --name={{ job }}"
    argv = policy.management_argv("noop", line, values(at("2026-11-28T03:00Z"), job_name="two 'words' --and more"))
    name = "two 'words' --and more"
    assert argv == ("noop", "bare", name, f"single {name}", f"double {name}", f"--name={name}")


@given(st.text(max_size=40), st.sampled_from(["{}", "'{}'", '"{}"', "--x={}", "a'{}'b"]))
def test_any_value_stays_within_its_word(name: str, form: str) -> None:
    words = policy.raw_argv(f"program {form.format('{{ job }}')} end", values(at("2026-11-28T03:00Z"), job_name=name))
    assert (len(words), words[0], words[2]) == (3, "program", "end")
    assert name.replace("\0", "") in words[1]


@given(pieces("{", "}", "{{", " ", "a", "|", ":", '"', *PLACEHOLDER_NAMES, "date", "Y"))
def test_an_escaped_text_means_itself(text: str) -> None:
    assert filled(placeholders.escape(text)) == text


@given(pieces("{{", "}}", " ", "|", ":", '"', "1d", *PLACEHOLDER_NAMES, "shift", "date"))
def test_any_text_is_filled_in_or_refused(text: str) -> None:
    try:
        placeholders.fill(text, SAMPLE_VALUES)
    except CommandRefused as refusal:
        assert str(refusal)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{{ token|date:"Y" }}', "In {{ token }} the filter “date” can be applied only to a time."),
        ("{{ scheduled_for|iso|epoch }}", "In {{ scheduled_for }} the filter “epoch” can be applied only to a time."),
        (
            '{{ scheduled_for|upper:"x" }}',
            "{{ scheduled_for }} has no filter “upper”; the filters are: date, iso, epoch, zone, shift, start_of, "
            "default.",
        ),
        ("{{ scheduled_for|date }}", 'In {{ scheduled_for }} write the filter like |date:"Y-m-d".'),
        ('{{ scheduled_for|date:"" }}', 'In {{ scheduled_for }} write the filter like |date:"Y-m-d".'),
        ('{{ scheduled_for|iso:"x" }}', "In {{ scheduled_for }} write the filter like |iso."),
        (
            '{{ scheduled_for|shift:"yesterday" }}',
            "In {{ scheduled_for }}: “yesterday” is not a valid shift; write a number and w, d, h, m or s, "
            "such as -1d.",
        ),
        ('{{ scheduled_for|shift:"3661d" }}', "In {{ scheduled_for }}: the shift “3661d” is longer than 3,660 days."),
        ('{{ scheduled_for|shift:"-999999999w" }}', "the shift “-999999999w” is longer than 3,660 days."),
        ('{{ scheduled_for|start_of:"year" }}', "“year” is not a valid unit; the units are: hour, day, week, month."),
        ('{{ scheduled_for|zone:"Europe/Pari" }}', "Europe/Paris"),
        ('{{ last_success|default:"x"|date:"Y" }}', "In {{ last_success }} the filter “default” must be the last one."),
        ("{{ scheduled_for|date:'Y' }}", 'In {{ scheduled_for }} write the filter like |date:"Y-m-d".'),
        ('a {{ token|default:"1" x }}', 'The placeholder at “{{ token|default:"1" x }}” is not valid.'),
        ("{{ last_success }}", '{{ last_success }} has no value for this run. Write {{ last_success|default:"…" }} to'),
        ("{{ job }} \ue000", "A text with placeholders cannot contain the characters U+E000 to U+E031."),
        ("{{ job }}" * 51, "There are more than 50 placeholders."),
        (
            "{{ job }}" + "x" * 8192,
            "has 8198 characters after its placeholders are filled in; at most 8192 are allowed.",
        ),
    ],
)
def test_what_cannot_be_filled_in_is_refused_with_a_correct_form(text: str, message: str) -> None:
    with pytest.raises(CommandRefused) as refused:
        filled(text)
    assert message in str(refused.value)


def test_fifty_placeholders_and_a_word_of_8192_characters_are_allowed() -> None:
    assert filled("{{ token }}" * 50) == "41" * 50
    assert len(filled("{{ token }}" + "x" * 8190)) == 8192


def test_a_shift_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(CommandRefused, match="gives a time outside the supported range"):
        filled('{{ scheduled_for|shift:"-3660d" }}', "0002-01-01T00:00+00:00")


def test_the_rules_of_commands_hold_for_the_words_that_are_filled_in() -> None:
    given_values = values(at("2026-11-28T03:00Z"), job_name="--settings=evil")
    assert policy.management_argv("noop", "{{ job }}") == ("noop", "job")
    with (
        override_settings(CHRONIKER_DISABLE_RAW_COMMAND=True),
        pytest.raises(CommandRefused, match="“--settings” can change which code runs"),
    ):
        policy.management_argv("noop", "{{ job }}", given_values)


def test_the_program_of_a_raw_command_is_no_placeholder() -> None:
    with pytest.raises(CommandRefused, match=r"The program cannot contain a placeholder; only its arguments can\."):
        policy.raw_argv("/bin/{{ job }} x")
    assert policy.raw_argv("echo {{{{ job }}") == ("echo", "{{", "job", "}}")


def test_variables_are_filled_in_and_their_errors_name_the_line() -> None:
    found = environment.resolve_environment(
        'DAY={{ scheduled_for|date:"Y-m-d" }}\nA=1', "", values(at("2026-11-28T03:00Z"))
    )
    assert found == {"DAY": "2026-11-28", "A": "1"}
    with pytest.raises(CommandRefused) as refused:
        environment.parse_variables("A=1\nB={{ token|iso }}")
    assert str(refused.value) == "Line 2: In {{ token }} the filter “iso” can be applied only to a time."


def test_all_variables_together_have_at_most_fifty_placeholders() -> None:
    lines = [f"V{number}={{{{ token }}}}" for number in range(51)]
    assert len(environment.parse_variables("\n".join(lines[:50]))) == 50
    with pytest.raises(CommandRefused, match="more than 50 placeholders"):
        environment.parse_variables("\n".join(lines))


def test_a_word_that_is_nearly_a_placeholder_is_named_and_not_refused() -> None:
    assert filled("{{ scheduld_for }}") == "{{ scheduld_for }}"
    assert placeholders.placeholder_warnings("{{ scheduld_for }} {{ scheduled_for }} {{ records }} {{{{ job }}") == [
        "{{ scheduld_for }} is not a placeholder and stays as it is. Did you mean {{ scheduled_for }}?"
    ]


def test_the_words_are_recorded_at_the_claim_only_if_they_are_known_then() -> None:
    assert policy.planned_argv("noop", "", "--day {{ scheduled_for }}") is None
    assert policy.planned_argv("noop", "", "--format '{{.Names}}' {{{{ job }}") == [
        "noop", "--format", "{{.Names}}", "{{", "job", "}}",
    ]  # fmt: skip


def test_an_unknown_time_zone_of_this_host_is_a_refusal() -> None:
    with pytest.raises(CommandRefused, match="Europe/Pari"):
        values(at("2026-11-28T03:00Z"), timezone="Europe/Pari")


def test_times_are_in_the_zone_of_the_job() -> None:
    assert values(at("2026-07-01T03:00Z"))["scheduled_for"] == dt.datetime(2026, 7, 1, 5, tzinfo=PARIS)
    assert shlex.split("{{ token }}") == ["{{", "token", "}}"], "why lines are cut before they are split"
