"""What is not a schedule gets an error that names the field, quotes the part that is wrong, and shows a right one."""

from __future__ import annotations

import datetime as dt
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chroniker.exceptions import ScheduleError
from chroniker.schedule import Spec, describe, next_after, validate, warnings
from chroniker.schedule.cron_rule import CronRule
from tests.unit.schedule.samples import cron, utc


def refusal(spec: Spec) -> ScheduleError:
    with pytest.raises(ScheduleError) as caught:
        validate(spec)
    return caught.value


@pytest.mark.parametrize(
    "expression, quoted, shown",
    [
        ("", "cron expression is needed", "“0 3 * * *”"),
        ("   ", "cron expression is needed", "“0 3 * * *”"),
        ("* * * *", "“* * * *” has 4 fields", "“30 3 * * mon”"),
        ("0 0 0 1 1 * 2030", "has 7 fields", "“0 30 3 * * mon”"),
        ("61 * * * *", "“61” is no minute", "“*/15 * * * *”"),
        ("* 1,25 * * *", "“25” is no hour", "“0 9-17 * * *”"),
        ("61 * * * * *", "“61” is no second", "“*/10 * * * * *”"),
        ("0 0 32 * *", "“32” is no day of the month", "“0 3 1,15 * *”"),
        ("0 0 0 * *", "“0” is no day of the month", "“0 3 1,15 * *”"),
        ("0 0 * 13 *", "“13” is no month", "“0 3 1 jan,jul *”"),
        ("0 0 * foo *", "“foo” is no month", "“0 3 1 jan,jul *”"),
        ("0 0 * * 8", "“8” is no day of the week", "“0 3 * * mon-fri”"),
        ("0 0 * * Foo", "“Foo” is no day of the week", "“0 3 * * mon-fri”"),
        ("0 0 * * 1#6", "“1#6” is no day of the week", "“0 3 * * mon-fri”"),
        ("*/0 * * * *", "“*/0” is no minute", "“*/15 * * * *”"),
        ("-1 * * * *", "“-1” is no minute", "“*/15 * * * *”"),
        ("1-99999999999999999999 * * * *", "is no minute", "“*/15 * * * *”"),
        ("1.5 * * * *", "“1.5” is no minute", "“*/15 * * * *”"),
        ("0 0 1,, * *", "A part of the day of the month is empty", "“0 3 1,15 * *”"),
        ("0 0 LW * *", "“LW” is no day of the month", "“0 3 1,15 * *”"),
        ("0 0 1,15W * *", "“1,15W” is no day of the month", "“0 3 1,15 * *”"),
        ("0 0 * * 1,2#1", "“1,2#1” is no day of the week", "“0 3 * * mon-fri”"),
        ("? * * * *", "“?” is no minute", "“*/15 * * * *”"),
        ("0 0 * *\u00a01 *", "“*\u00a01” is no month", "“0 3 1 jan,jul *”"),
        ("٣ * * * *", "“٣” is no minute", "“*/15 * * * *”"),
        ("0 9-9 * * *", "“9-9” is a range from a value to itself", "“9” for this hour"),
        ("0 0 * * Mon-mon", "“Mon-mon” is a range", "“Mon” for this day of the week"),
        ("0 0 31 2 *", "“0 0 31 2 *” cannot be", "“0 3 L * *”"),
        ("0 0 30,31 2 *", "“30,31”", "“0 3 L * *”"),
        ("0 0 31 4,6,9 *", "“31”", "“0 3 L * *”"),
        ("0 0 */13 * sun#3", "never fires", "“0 3 1 * *”"),
        ("@reboot", "“@reboot” is not known here", "“@daily”"),
        ("@every 5m", "“@every 5m” is not known here", "“*/5 * * * *”"),
        ("@fortnightly", "“@fortnightly” is not known here", "@weekly"),
        ("R R * * *", "“R” (hashed or random times)", "“*/15 * * * *”"),
        ("0 r(0-5) * * *", "“r(0-5)” (hashed or random times)", "“0 9-17 * * *”"),
        ("H * * * *", "“H” (hashed or random times)", "jitter"),
        ("H/15 * * * *", "“H/15” (hashed or random times)", "jitter"),
        ("* " * 128, "has 256 characters", "255"),
    ],
)
def test_a_bad_cron_expression(expression: str, quoted: str, shown: str) -> None:
    error = refusal(cron(expression))
    assert error.field == "cron"
    assert quoted in str(error)
    assert shown in str(error)


@pytest.mark.parametrize(
    "frequency, params, quoted, shown",
    [
        ("DAILY", "interval", "“interval” is no parameter", "“interval:15;byhour:7,8,9”"),
        ("DAILY", "interval:", "“interval:” is no parameter", "“interval:15;byhour:7,8,9”"),
        ("DAILY", "interval=5", "“interval=5” is no parameter", "“interval:15;byhour:7,8,9”"),
        ("DAILY", "interval:0", "“0” is no value for “interval”", "“interval:15”"),
        ("DAILY", "interval:-1", "“-1” is no value for “interval”", "“interval:15”"),
        ("DAILY", "interval:1,2", "“interval” takes one value, not “1,2”", ""),
        ("DAILY", "interval:99999999999999999999", "is no value for “interval”", "1000000"),
        ("DAILY", "count:0", "“0” is no value for “count”", "10000"),
        ("DAILY", "byhour:24", "“24” is no value for “byhour”", "“byhour:7,8,9”"),
        ("DAILY", "byhour:7,,9", "“” is no value for “byhour”", "“byhour:7,8,9”"),
        ("DAILY", "byhour:-1", "“-1” is no value for “byhour”", "“byhour:7,8,9”"),
        ("DAILY", "byhours:7", "“byhours” is not a parameter", "“byhour”"),
        ("DAILY", "xyzzy:7", "“xyzzy” is not a parameter", "byweekday"),
        ("DAILY", "byhour:7;byhour:8", "“byhour” is given twice", "“byhour:7,8,9”"),
        ("DAILY", "until:2030-01-01", "“until” is not a parameter here", "the end date"),
        ("DAILY", "dtstart:2030-01-01", "“dtstart” is not a parameter here", "the start date"),
        ("MONTHLY", "bymonthday:0", "“0” is no value for “bymonthday”", "“bymonthday:1,-1”"),
        ("MONTHLY", "bymonthday:32", "“32” is no value for “bymonthday”", "“bymonthday:1,-1”"),
        ("WEEKLY", "byweekday:7", "“7” is no day", "“mo”"),
        ("WEEKLY", "byweekday:xx", "“xx” is no day", "“mo”"),
        ("WEEKLY", "byweekday:mo(+1)", "“mo(+1)” counts days of the week", "monthly"),
        ("MONTHLY", "byweekday:mo(0)", "“mo(0)” counts days of the week", "“mo(+1)”"),
        ("MONTHLY", "byweekday:1mo(1)", "“1mo(1)” is no day", "“mo”"),
        ("WEEKLY", "wkst:xx", "“xx” is no day for “wkst”", "“mo”"),
        ("YEARLY", "bymonth:2;bymonthday:30", "never fires", "“interval:2;byhour:7,8”"),
        ("SECONDLY", "bymonth:2;bymonthday:30", "never fires", "“interval:2;byhour:7,8”"),
        ("MONTHLY", "bysetpos:5;bymonthday:1", "never fires", "“interval:2;byhour:7,8”"),
        ("SECONDLY", "bysetpos:2", "never fires", "“interval:2;byhour:7,8”"),
        ("HOURLY", "interval:24;byhour:3", "never fires", "“interval:2;byhour:7,8”"),
        ("MINUTELY", "interval:2;byminute:1", "never fires", "“interval:2;byhour:7,8”"),
        ("YEARLY", "interval:100;bymonth:2;bymonthday:29", "never fires", "“interval:2;byhour:7,8”"),
    ],
)
def test_a_bad_rule(frequency: str, params: str, quoted: str, shown: str) -> None:
    error = refusal(Spec(frequency, params=params))
    assert error.field == "params"
    assert quoted in str(error)
    assert shown in str(error)


@pytest.mark.parametrize(
    "spec, field, quoted",
    [
        (Spec("FORTNIGHTLY"), "frequency", "“FORTNIGHTLY”"),
        (Spec(""), "frequency", "CRON"),
        (Spec("ONCE"), "run_at", "the moment"),
        (Spec("ONCE", run_at=dt.datetime(2026, 1, 1)), "run_at", "2026-03-29T02:30+01:00"),
        (Spec("DAILY", starts_at=dt.datetime(2026, 1, 1)), "starts_at", "“2026-01-01 00:00:00”"),
        (Spec("DAILY", starts_at=utc(1969, 1, 1)), "starts_at", "1970"),
        (Spec("DAILY", ends_at=utc(9000, 1, 1)), "ends_at", "8999"),
        (Spec("DAILY", starts_at=utc(2026, 1, 2), ends_at=utc(2026, 1, 1)), "ends_at", "before the beginning"),
        (Spec("DAILY", params="count:3"), "starts_at", "“count”"),
        (Spec("DAILY", dst_gap="JUMP"), "dst_gap", "RUN, SKIP"),
        (Spec("DAILY", dst_fold="THIRD"), "dst_fold", "FIRST, SECOND, BOTH"),
        (Spec("DAILY", timezone="Europe/Pariss"), "timezone", "“Europe/Paris”"),
        (Spec("DAILY", timezone="europe/berlin "), "timezone", "“Europe/Berlin”"),
        (Spec("ONCE", run_at=utc(2026, 1, 1), timezone="Mars"), "timezone", "“Mars”"),
    ],
)
def test_other_fields(spec: Spec, field: str, quoted: str) -> None:
    error = refusal(spec)
    assert (error.field, quoted in str(error)) == (field, True), str(error)


@pytest.mark.parametrize(
    "name", ["", "America", "localtime", "/etc/passwd", "../UTC", "a" * 300, "UTC\0", "\ud800", "tzdata.zi", "Factory"]
)
def test_names_that_are_no_zone_whatever_the_file_system_says(name: str) -> None:
    assert refusal(Spec("DAILY", timezone=name)).field == "timezone"


@pytest.mark.parametrize("expression", ["bad", "", "H * * * *", "0 0 31 2 *"])
def test_next_after_refuses_it_too(expression: str) -> None:
    with pytest.raises(ScheduleError):
        next_after(cron(expression), utc(2026, 1, 1))


@pytest.mark.parametrize(
    "expression",
    [
        "@daily",
        " @Hourly ",
        "0\t3  * * *",
        "0 3 ? * MON",
        "*/15 9-17 * JAN,mar mon-fri",
        "0 0 L * *",
        "0 9 15W * *",
        "0 9 * * fri#3",
        "0 9 * * L5",
        "59/15 * * * *",
        "0 0 * * 0-7",
        "0 0 * * sat-sun",
        "0 22-2 * * *",
        "*/10 * * * * *",
        "0 0 29 2 *",
        "0 0 31 1,2 *",
        "0 0 13 * fri#2",
    ],
)
def test_what_is_right_is_taken(expression: str) -> None:
    validate(cron(expression))


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_any_text_is_a_schedule_or_a_schedule_error(seed: int) -> None:
    random = Random(seed)
    letters = "0123456789*/,-#?lwLWhHrR()@.+ abcdefMONfri\u00a0é"
    fields = [
        "".join(random.choices(letters, k=random.randint(1, 7))) if random.random() < 0.4 else "*" for _ in range(5)
    ]
    text = " ".join(fields) if random.random() < 0.8 else "".join(random.choices(letters, k=random.randint(0, 20)))
    for spec in (cron(text), Spec("MONTHLY", params=text), Spec("SECONDLY", params=text.replace(" ", ";")), Spec(text)):
        assert describe(spec)
        assert isinstance(warnings(spec), list)
        try:
            validate(spec)
        except ScheduleError as error:
            assert str(error) and error.field
        else:
            next_after(spec, utc(2026, 1, 1))


@settings(max_examples=80, deadline=None)
@given(text=st.text(max_size=300))
def test_no_text_at_all_raises_anything_else(text: str) -> None:
    for spec in (cron(text), Spec("DAILY", params=text), Spec("DAILY", timezone=text)):
        assert describe(spec)
        try:
            validate(spec)
        except ScheduleError as error:
            assert error.field in ("cron", "params", "timezone", "starts_at")


def test_an_expression_with_every_minute_named_is_parsed_once_into_sorted_fields() -> None:
    rule = CronRule(f"{','.join(str(n) for n in range(59, -1, -1))} 3 * * *")
    assert rule.minutes == tuple(range(60))
