"""Random but reproducible schedules, and sample clock changes."""

from __future__ import annotations

import datetime as dt
from random import Random

from chroniker.schedule import ScheduleSpec

WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

#: A time zone and a time some hours before its clock changes.
CHANGES = (
    ("Europe/Paris", dt.datetime(2026, 3, 28, 20)),
    ("Europe/Paris", dt.datetime(2026, 10, 24, 20)),
    ("America/New_York", dt.datetime(2026, 3, 7, 20)),
    ("America/New_York", dt.datetime(2026, 10, 31, 20)),
    ("Europe/Dublin", dt.datetime(2026, 3, 28, 20)),  # its winter time is the one that is "saved"
    ("Europe/Dublin", dt.datetime(2026, 10, 24, 20)),
    ("Australia/Lord_Howe", dt.datetime(2026, 4, 4, 6)),  # half an hour
    ("Australia/Lord_Howe", dt.datetime(2026, 10, 3, 6)),
    ("America/Sao_Paulo", dt.datetime(2017, 10, 14, 20)),  # at midnight
    ("America/Sao_Paulo", dt.datetime(2018, 2, 17, 20)),
    ("Asia/Beirut", dt.datetime(2022, 3, 26, 12)),  # at midnight
    ("Asia/Beirut", dt.datetime(2022, 10, 29, 12)),
    ("Pacific/Apia", dt.datetime(2011, 12, 29, 20)),  # a day left out
    ("Europe/Moscow", dt.datetime(2014, 10, 25, 12)),  # for good
    ("Asia/Pyongyang", dt.datetime(2015, 8, 14, 6)),  # for good, by half an hour
    ("Africa/Casablanca", dt.datetime(2025, 2, 22, 12)),  # around Ramadan
    ("Africa/Casablanca", dt.datetime(2025, 4, 5, 12)),
    ("America/St_Johns", dt.datetime(2010, 3, 13, 20)),  # one minute after midnight
    ("America/St_Johns", dt.datetime(2010, 11, 6, 20)),
    ("Asia/Kolkata", dt.datetime(2026, 3, 1)),  # never
)

ZONES = (*dict.fromkeys(zone for zone, _ in CHANGES), "UTC", "Pacific/Auckland", "America/Santiago", "Asia/Tehran")


def utc(*numbers: int) -> dt.datetime:
    return dt.datetime(*numbers, tzinfo=dt.UTC)  # type: ignore[arg-type, misc]  # year, month, day …


def cron(expression: str, zone: str = "UTC", **more: object) -> ScheduleSpec:
    return ScheduleSpec("CRON", cron=expression, timezone=zone, **more)  # type: ignore[arg-type]


def a_field(random: Random, low: int, high: int, star: float) -> str:
    if random.random() < star:
        return random.choice(("*", "*", f"*/{random.randint(1, (high - low) // 2)}"))
    return ",".join(_part(random, low, high) for _ in range(random.choice((1, 1, 1, 2, 3))))


def _part(random: Random, low: int, high: int) -> str:
    first = random.randint(low, high - 1)
    last = random.randint(first + 1, high)
    return random.choice((str(first), str(first), f"{first}-{last}", f"{first}-{last}/{random.randint(2, 9)}"))


def a_weekday_field(random: Random, star: float) -> str:
    if random.random() < star:
        return "*"
    plain = a_field(random, 0, 7, 0)
    nth = f"{random.choice(WEEKDAYS)}#{random.randint(1, 5)}"
    return random.choice((plain, plain, random.choice(WEEKDAYS), "mon-fri", nth))


def an_expression(random: Random, hour_star: float = 0.3) -> str:
    """Five fields that can fire."""
    days = a_field(random, 1, 28, 0.6) if random.random() < 0.95 else "L"
    return " ".join(
        (
            a_field(random, 0, 59, hour_star),
            a_field(random, 0, 23, hour_star),
            days,
            a_field(random, 1, 12, 0.8),
            a_weekday_field(random, 0.6),
        )
    )


def a_fixed_expression_near_midnight(random: Random) -> str:
    """No wildcard in hour or minute; often at a clock change."""
    minutes = random.choice(("0", "30", "15,45", "0-59/20", "59", "0,1,2", str(random.randint(0, 59))))
    hours = random.choice(("0", "1", "2", "3", "0-3", "1,2", "0,1,2,3,23", "23", str(random.randint(0, 23))))
    return f"{minutes} {hours} * * {random.choice(('*', '*', '*', 'sun', 'sat,sun', '0-6'))}"
