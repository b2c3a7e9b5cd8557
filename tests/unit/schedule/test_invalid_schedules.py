"""Invalid schedules: the error names the field, quotes the invalid part and shows a valid example."""

from __future__ import annotations

import datetime as dt
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chroniker.exceptions import ScheduleError
from chroniker.schedule import (
    ScheduleSpec,
    describe_schedule,
    find_schedule_warnings,
    next_instant_after,
    validate_schedule,
)
from chroniker.schedule.cron_rule import CronRule
from tests.unit.schedule.samples import cron, utc


def refusal(spec: ScheduleSpec) -> ScheduleError:
    with pytest.raises(ScheduleError) as caught:
        validate_schedule(spec)
    return caught.value


@pytest.mark.parametrize(
    "expression, quoted, shown",
    [
        ("", "cron expression is needed", "“0 3 * * *”"),
        ("   ", "cron expression is needed", "“0 3 * * *”"),
        ("* * * *", "“* * * *” has the wrong number of fields (4)", "“30 3 * * mon”"),
        ("0 0 0 1 1 * 2030", "has the wrong number of fields (7)", "“0 30 3 * * mon”"),
        ("61 * * * *", "“61” is not a valid minute", "“*/15 * * * *”"),
        ("* 1,25 * * *", "“25” is not a valid hour", "“0 9-17 * * *”"),
        ("61 * * * * *", "“61” is not a valid second", "“*/10 * * * * *”"),
        ("0 0 32 * *", "“32” is not a valid day of the month", "“0 3 1,15 * *”"),
        ("0 0 0 * *", "“0” is not a valid day of the month", "“0 3 1,15 * *”"),
        ("0 0 * 13 *", "“13” is not a valid month", "“0 3 1 jan,jul *”"),
        ("0 0 * foo *", "“foo” is not a valid month", "“0 3 1 jan,jul *”"),
        ("0 0 * * 8", "“8” is not a valid day of the week", "“0 3 * * mon-fri”"),
        ("0 0 * * Foo", "“Foo” is not a valid day of the week", "“0 3 * * mon-fri”"),
        ("0 0 * * 1#6", "“1#6” is not a valid day of the week", "“0 3 * * mon-fri”"),
        ("*/0 * * * *", "“*/0” is not a valid minute", "“*/15 * * * *”"),
        ("-1 * * * *", "“-1” is not a valid minute", "“*/15 * * * *”"),
        ("1-99999999999999999999 * * * *", "is not a valid minute", "“*/15 * * * *”"),
        ("1.5 * * * *", "“1.5” is not a valid minute", "“*/15 * * * *”"),
        ("0 0 1,, * *", "A part of the day of the month is empty", "“0 3 1,15 * *”"),
        ("0 0 LW * *", "“LW” (last working day)", "“byweekday:mo,tu,we,th,fr;bysetpos:-1”"),
        ("0 0 L-2 * *", "“L-2” is not supported", "“bymonthday:-3”"),
        ("0 0 * * 6L", "write “L6”", "last Saturday"),
        ("0 0 * * friL", "write “L5”", "last Friday"),
        ("0 3 * * * Europe/Paris", "“Europe/Paris” at the end", "Set the time zone of the schedule"),
        ("0 3 * * UTC", "“UTC” is not a valid day of the week", "“0 3 * * mon-fri”"),
        ("0 0 3 * * * UTC", "“UTC” at the end", "Set the time zone of the schedule"),
        ("TZ=Europe/Paris 0 3 * * *", "the time zone is not part", "Set the time zone"),
        ("CRON_TZ=UTC 0 3 * * *", "the time zone is not part", "Set the time zone"),
        ("0~30 * * * *", "“0~30” (hashed or random times)", "jitter"),
        ("0 0 1,15W * *", "“1,15W”: “W” is allowed only with a single day", "“0 9 15W * *”"),
        ("0 0 * * 1,2#1", "“1,2#1” is not a valid day of the week", "“0 3 * * mon-fri”"),
        ("? * * * *", "“?” is not a valid minute", "“*/15 * * * *”"),
        ("0 0 * *\u00a01 *", "invisible character U+00A0", "ordinary space"),
        ("0 0 * * *\u200b", "invisible character U+200B", "ordinary space"),
        ("٣ * * * *", "“٣” is not a valid minute", "“*/15 * * * *”"),
        ("0 9-9 * * *", "“9-9” is a range from a value to itself", "“9” for this hour"),
        ("0 0 * * Mon-mon", "“Mon-mon” is a range", "“Mon” for this day of the week"),
        ("0 0 31 2 *", "“0 0 31 2 *” never fires", "“0 3 L * *”"),
        ("0 0 30,31 2 *", "“30,31”", "“0 3 L * *”"),
        ("0 0 31 4,6,9 *", "“31”", "“0 3 L * *”"),
        ("0 0 */13 * sun#3", "never fires", "“0 3 1 * *”"),
        ("@reboot", "“@reboot” is not supported", "“@daily”"),
        ("@every 5m", "“@every 5m” is not supported", "“*/5 * * * *”"),
        ("@fortnightly", "“@fortnightly” is not supported", "@weekly"),
        ("R R * * *", "“R” (hashed or random times)", "“*/15 * * * *”"),
        ("0 r(0-5) * * *", "“r(0-5)” (hashed or random times)", "“0 9-17 * * *”"),
        ("H * * * *", "“H” (hashed or random times)", "jitter"),
        ("H/15 * * * *", "“H/15” (hashed or random times)", "jitter"),
        ("* " * 128, "has 256 characters", "255"),
    ],
)
def test_invalid_cron_expressions(expression: str, quoted: str, shown: str) -> None:
    error = refusal(cron(expression))
    assert error.field == "cron"
    assert quoted in str(error) and shown in str(error), str(error)


@pytest.mark.parametrize(
    "frequency, params, quoted, shown",
    [
        ("DAILY", "interval", "“interval” is not a parameter", "“interval:15;byhour:7,8,9”"),
        ("DAILY", "interval:", "“interval:” is not a parameter", "“interval:15;byhour:7,8,9”"),
        ("DAILY", "interval=5", "“interval=5” is not a parameter", "“interval:15;byhour:7,8,9”"),
        ("DAILY", "interval:0", "“0” is not a value of “interval”", "“interval:15”"),
        ("DAILY", "interval:-1", "“-1” is not a value of “interval”", "“interval:15”"),
        ("DAILY", "interval:1,2", "“interval” takes one value, not “1,2”", ""),
        ("DAILY", "interval:99999999999999999999", "is not a value of “interval”", "1000000"),
        ("DAILY", "count:0", "“0” is not a value of “count”", "10000"),
        ("DAILY", "byhour:24", "“24” is not a value of “byhour” (0 to 23):", "“byhour:7,8,9”"),
        ("DAILY", "byhour:7,,9", "“” is not a value of “byhour”", "“byhour:7,8,9”"),
        ("DAILY", "byhour:-1", "“-1” is not a value of “byhour”", "“byhour:7,8,9”"),
        ("DAILY", "byhours:7", "“byhours” is not a parameter", "“byhour”"),
        ("DAILY", "rrule:freq=weekly", "“rrule” is not a parameter here", "the frequency"),
        ("WEEKLY", "byday:mo;byweekday:tu", "“byweekday” is given twice", "“byhour:7,8,9”"),
        ("DAILY", "xyzzy:7", "“xyzzy” is not a parameter", "byweekday"),
        ("DAILY", "byhour:7;byhour:8", "“byhour” is given twice", "“byhour:7,8,9”"),
        ("DAILY", "until:2030-01-01", "“until” is not a parameter here", "the end date"),
        ("DAILY", "dtstart:2030-01-01", "“dtstart” is not a parameter here", "the start date"),
        ("MONTHLY", "bymonthday:0", "“0” is not a value of “bymonthday”", "“bymonthday:1,-1”"),
        ("MONTHLY", "bymonthday:32", "(1 to 31; negative numbers count backwards)", "“bymonthday:1,-1”"),
        ("WEEKLY", "byweekday:7", "“7” is not a day", "“mo”"),
        ("WEEKLY", "byweekday:xx", "“xx” is not a day", "“mo”"),
        ("WEEKLY", "byweekday:mo(+1)", "“mo(+1)”: the n-th weekday", "monthly"),
        ("MONTHLY", "byweekday:mo(0)", "“mo(0)”: the n-th weekday", "“mo(+1)”"),
        ("MONTHLY", "byweekday:1mo(1)", "“1mo(1)” is not a day", "“mo”"),
        ("WEEKLY", "wkst:xx", "“xx” is not a day for “wkst”", "“mo”"),
        ("YEARLY", "bymonth:2;bymonthday:30", "never fires", "“interval:2;byhour:7,8”"),
        ("SECONDLY", "bymonth:2;bymonthday:30", "never fires", "“interval:2;byhour:7,8”"),
        ("MONTHLY", "bysetpos:5;bymonthday:1", "never fires", "“interval:2;byhour:7,8”"),
        ("SECONDLY", "bysetpos:2", "never fires", "“interval:2;byhour:7,8”"),
        ("HOURLY", "interval:24;byhour:3", "never fires", "“interval:2;byhour:7,8”"),
        ("MINUTELY", "interval:2;byminute:1", "never fires", "“interval:2;byhour:7,8”"),
        ("YEARLY", "interval:100;bymonth:2;bymonthday:29", "never fires", "“interval:2;byhour:7,8”"),
    ],
)
def test_the_error_of_a_rule_quotes_the_invalid_part(frequency: str, params: str, quoted: str, shown: str) -> None:
    error = refusal(ScheduleSpec(frequency, params=params))
    assert error.field == "params"
    assert quoted in str(error)
    assert shown in str(error)


@pytest.mark.parametrize(
    "spec, field, quoted",
    [
        (ScheduleSpec("FORTNIGHTLY"), "frequency", "“FORTNIGHTLY”"),
        (ScheduleSpec(""), "frequency", "CRON"),
        (ScheduleSpec("ONCE"), "run_at", "the date and time"),
        (ScheduleSpec("ONCE", run_at=dt.datetime(2026, 1, 1)), "run_at", "2026-03-29T02:30+01:00"),
        (ScheduleSpec("DAILY", starts_at=dt.datetime(2026, 1, 1)), "starts_at", "“2026-01-01 00:00:00”"),
        (ScheduleSpec("DAILY", starts_at=utc(1969, 1, 1)), "starts_at", "1970"),
        (ScheduleSpec("DAILY", ends_at=utc(9000, 1, 1)), "ends_at", "8999"),
        (ScheduleSpec("DAILY", starts_at=utc(2026, 1, 2), ends_at=utc(2026, 1, 1)), "ends_at", "before the start"),
        (ScheduleSpec("DAILY", params="count:3"), "starts_at", "“count”"),
        (ScheduleSpec("DAILY", dst_gap="JUMP"), "dst_gap", "RUN, SKIP"),
        (ScheduleSpec("DAILY", dst_fold="THIRD"), "dst_fold", "FIRST, SECOND, BOTH"),
        (ScheduleSpec("DAILY", timezone="Europe/Pariss"), "timezone", "“Europe/Paris”"),
        (ScheduleSpec("DAILY", timezone="europe/berlin "), "timezone", "“Europe/Berlin”"),
        (ScheduleSpec("ONCE", run_at=utc(2026, 1, 1), timezone="Mars"), "timezone", "“Mars”"),
        (ScheduleSpec("DAILY", timezone="localtime"), "timezone", "a different time zone on each host"),
        (ScheduleSpec("DAILY", timezone="CEST"), "timezone", "is an abbreviation"),
        (ScheduleSpec("DAILY", timezone="CEST"), "timezone", "“Europe/Paris”"),
        (ScheduleSpec("DAILY", timezone="pst"), "timezone", "“America/Los_Angeles”"),
        (ScheduleSpec("DAILY", timezone="GMT+3"), "timezone", "“Etc/GMT-3”"),
        (ScheduleSpec("DAILY", timezone="utc -05:00"), "timezone", "“Etc/GMT+5”"),
        (ScheduleSpec("DAILY", timezone="+05:30"), "timezone", "is an offset, not a time zone; write the region"),
        (ScheduleSpec("DAILY", timezone="Asia/Mumbai"), "timezone", "“Asia/Kolkata”"),
        (ScheduleSpec("DAILY", timezone="San Francisco"), "timezone", "“America/Los_Angeles”"),
        (ScheduleSpec("DAILY", timezone="Lima"), "timezone", "“America/Lima”"),
        (ScheduleSpec("DAILY", timezone="Europe/New_York"), "timezone", "“America/New_York”"),
    ],
)
def test_the_error_of_another_field_quotes_its_value(spec: ScheduleSpec, field: str, quoted: str) -> None:
    error = refusal(spec)
    assert (error.field, quoted in str(error)) == (field, True), str(error)


@pytest.mark.parametrize(
    "name", ["", "America", "localtime", "/etc/passwd", "../UTC", "a" * 300, "UTC\0", "\ud800", "tzdata.zi", "Factory"]
)
def test_names_that_are_files_but_not_zones(name: str) -> None:
    assert refusal(ScheduleSpec("DAILY", timezone=name)).field == "timezone"


@pytest.mark.parametrize("expression", ["bad", "", "H * * * *", "0 0 31 2 *"])
def test_next_after_refuses_invalid_expressions(expression: str) -> None:
    with pytest.raises(ScheduleError):
        next_instant_after(cron(expression), utc(2026, 1, 1))


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
        "0 0 31 2 1-5",
        "0 0 30 2 0",
        f"{'0,' * 123}0 * * * *",  # 255 characters
    ],
)
def test_valid_expressions_are_accepted(expression: str) -> None:
    validate_schedule(cron(expression))


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_random_text_is_valid_or_raises_a_schedule_error(seed: int) -> None:
    random = Random(seed)
    letters = "0123456789*/,-#?lwLWhHrR()@.+ abcdefMONfri\u00a0é"
    fields = [
        "".join(random.choices(letters, k=random.randint(1, 7))) if random.random() < 0.4 else "*" for _ in range(5)
    ]
    text = " ".join(fields) if random.random() < 0.8 else "".join(random.choices(letters, k=random.randint(0, 20)))
    for spec in (
        cron(text),
        ScheduleSpec("MONTHLY", params=text),
        ScheduleSpec("SECONDLY", params=text.replace(" ", ";")),
        ScheduleSpec(text),
    ):
        assert describe_schedule(spec)
        assert isinstance(find_schedule_warnings(spec), list)
        try:
            validate_schedule(spec)
        except ScheduleError as error:
            assert str(error) and error.field
        else:
            next_instant_after(spec, utc(2026, 1, 1))


@settings(max_examples=80, deadline=None)
@given(text=st.text(max_size=300))
def test_arbitrary_text_raises_schedule_errors_only(text: str) -> None:
    for spec in (cron(text), ScheduleSpec("DAILY", params=text), ScheduleSpec("DAILY", timezone=text)):
        assert describe_schedule(spec)
        try:
            validate_schedule(spec)
        except ScheduleError as error:
            assert error.field in ("cron", "params", "timezone", "starts_at")


def test_listed_values_are_sorted() -> None:
    rule = CronRule(f"{','.join(str(n) for n in range(59, -1, -1))} 3 * * *")
    assert rule.minutes == tuple(range(60))
