from __future__ import annotations

import pytest
from django.utils import translation

from chroniker.schedule import ScheduleSpec, describe_schedule, validate_schedule
from tests.unit.schedule.samples import cron, utc


@pytest.mark.parametrize(
    "expression, words",
    [
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("0 * * * *", "every hour"),
        ("5,35 * * * *", "every hour at minute 5 and 35"),
        ("0 */2 * * *", "every 2 hours"),
        ("15 */6 * * *", "every 6 hours at minute 15"),
        ("*/10 * * * * *", "every 10 seconds"),
        ("* * * * * *", "every second"),
        ("0 3 * * *", "at 03:00 every day"),
        ("@daily", "at 00:00 every day"),
        ("15 30 3 * * *", "at 03:30:15 every day"),
        ("0,30 0,30 3 * * *", "at 03:00, 03:00:30, 03:30 and 03:30:30 every day"),
        ("0-6 30 3 * * *", "by the cron expression “0-6 30 3 * * *”"),
        ("0 1-11/2 * * *", "at 01:00, 03:00, 05:00, 07:00, 09:00 and 11:00 every day"),
        ("0 3,9,15 * * *", "at 03:00, 09:00 and 15:00 every day"),
        ("30 9 * * 1-5", "at 09:30 on Monday to Friday"),
        ("0 1 * * 1-3", "at 01:00 on Monday to Wednesday"),
        ("0 1 * * sun,sat", "at 01:00 on Saturday and Sunday"),
        ("*/15 9-17 * * mon-fri", "every 15 minutes from 09:00 to 17:45 on Monday to Friday"),
        ("*/1 * * * *", "every minute"),
        ("0 */24 * * *", "at 00:00 every day"),
        ("0 */13 * * *", "at 00:00 and 13:00 every day"),
        ("*/90 3 * * *", "at 03:00 every day"),
        ("0 9-17 * * *", "every hour from 09:00 to 17:00 every day"),
        ("0 0 1 1 *", "at 00:00 on 1 January"),
        ("0 0 1,15 * *", "at 00:00 on day 1 and 15 of the month"),
        ("0 0 L * *", "at 00:00 on the last day of the month"),
        ("0 9 * * fri#3", "at 09:00 on the third Friday of the month"),
        (
            "0 9 * * fri#5,thu#4,tue#2,mon#1",
            "at 09:00 on the first Monday of the month, the second Tuesday of the month, the fourth Thursday of the "
            "month and the fifth Friday of the month",
        ),
        ("0 9 * * L5", "at 09:00 on the last Friday of the month"),
        ("0 9 15W * *", "at 09:00 on the working day nearest to day 15 of the month"),
        ("0 12 * 6-8 *", "at 12:00 every day in June, July and August"),
        ("30 2 1,15 * 1", "at 02:30 on day 1 and 15 of the month, and on Monday"),
        ("30 2 1-6 * 1", "at 02:30 on day 1, 2, 3, 4, 5 and 6 of the month, and on Monday"),
        ("30 2 1-7 * 1", "by the cron expression “30 2 1-7 * 1”"),
        ("*/7 * * * *", "by the cron expression “*/7 * * * *”"),
        ("1-5,7 1-9/2 */2 * *", "by the cron expression “1-5,7 1-9/2 */2 * *”"),
    ],
)
def test_cron_expressions(expression: str, words: str) -> None:
    assert describe_schedule(cron(expression, "Europe/Paris")) == f"{words} (Europe/Paris)"


@pytest.mark.parametrize(
    "frequency, params, words",
    [
        ("DAILY", "", "every day at 09:30"),
        ("DAILY", "byhour:7,8,9;byminute:0", "every day at 07:00, 08:00 and 09:00"),
        ("WEEKLY", "", "every week on Thursday at 09:30"),
        ("WEEKLY", "interval:2;byweekday:mo,fr", "every 2 weeks on Monday and Friday at 09:30"),
        ("MONTHLY", "", "every month on day 1 of the month at 09:30"),
        ("MONTHLY", "byweekday:fr(-1)", "every month on the last Friday of the month at 09:30"),
        ("YEARLY", "", "every year on 1 January at 09:30"),
        ("YEARLY", "bymonth:7", "every year on 1 July at 09:30"),
        ("YEARLY", "byweekday:mo", "every Monday at 09:30"),
        ("MONTHLY", "byweekday:mo", "every Monday at 09:30"),
        ("MONTHLY", "byweekday:mo(-2)", "every month, by the rule “byweekday:mo(-2)”"),
        ("MONTHLY", "byweekday:mo,fr(-1)", "every month, by the rule “byweekday:mo,fr(-1)”"),
        ("YEARLY", "bymonth:5;byweekday:mo(-1)", "every year on the last Monday of the month in May at 09:30"),
        ("DAILY", "byweekday:mo,fr;bymonth:7", "every Monday and Friday in July at 09:30"),
        ("WEEKLY", "byday:mo", "every week on Monday at 09:30"),
        ("YEARLY", "interval:2;byweekday:mo", "every 2 years, by the rule “interval:2;byweekday:mo”"),
        ("YEARLY", "bymonthday:15", "every month on day 15 of the month at 09:30"),
        ("DAILY", "bymonthday:15", "every month on day 15 of the month at 09:30"),
        ("MONTHLY", "bymonthday:15;bymonth:7", "every year on 15 July at 09:30"),
        ("YEARLY", "interval:2;bymonthday:15;bymonth:7", "every 2 years on 15 July at 09:30"),
        (
            "MONTHLY",
            "interval:2;bymonthday:15;bymonth:7",
            "every 2 months, by the rule “interval:2;bymonthday:15;bymonth:7”",
        ),
        ("MONTHLY", "interval:2;bymonthday:15", "every 2 months on day 15 of the month at 09:30"),
        ("DAILY", "interval:2;bymonthday:15", "every 2 days, by the rule “interval:2;bymonthday:15”"),
        ("MONTHLY", "bymonthday:-2", "every month, by the rule “bymonthday:-2”"),
        ("MONTHLY", "bymonthday:1,2,3,4,5,6", "every month on day 1, 2, 3, 4, 5 and 6 of the month at 09:30"),
        ("MONTHLY", "bymonthday:1,2,3,4,5,6,7", "every month, by the rule “bymonthday:1,2,3,4,5,6,7”"),
        ("DAILY", "bymonth:7", "every day in July at 09:30"),
        ("HOURLY", "interval:3", "every 3 hours"),
        ("HOURLY", "byweekday:mo", "every hour, by the rule “byweekday:mo”"),
        ("MINUTELY", "interval:15;byhour:7,8,9", "every 15 minutes in the hours 7, 8 and 9"),
        ("SECONDLY", "", "every second"),
        ("DAILY", "count:3", "every day at 09:30, scheduled times in total: 3"),
        ("MONTHLY", "bysetpos:-1;byweekday:mo", "every month, by the rule “bysetpos:-1;byweekday:mo”"),
    ],
)
def test_recurrence_rules_are_described(frequency: str, params: str, words: str) -> None:
    spec = ScheduleSpec(frequency, params=params, starts_at=utc(2026, 1, 1, 9, 30))
    assert describe_schedule(spec) == f"{words}, from 2026-01-01 09:30 (UTC)"


def test_dates_are_shown_in_the_schedule_s_zone() -> None:
    assert (
        describe_schedule(ScheduleSpec("ONCE", run_at=utc(2026, 7, 1), timezone="Asia/Tokyo"))
        == "once at 2026-07-01 09:00 (Asia/Tokyo)"
    )
    bounded = cron("0 3 * * *", "Asia/Tokyo", ends_at=utc(2026, 7, 1))
    assert describe_schedule(bounded) == "at 03:00 every day, until 2026-07-01 09:00 (Asia/Tokyo)"


def test_a_job_that_was_meant_to_run_once_is_described_by_its_new_rule() -> None:
    """The time of its run may still be stored; it has no effect."""
    assert describe_schedule(cron("0 3 * * *", run_at=utc(2026, 7, 1))) == "at 03:00 every day (UTC)"


@pytest.mark.parametrize(
    "spec, quoted",
    [
        (cron("bad"), "“CRON bad”"),
        (ScheduleSpec("WHENEVER", params="x"), "“WHENEVER x”"),
        (ScheduleSpec("ONCE"), "“ONCE”"),
        (ScheduleSpec("DAILY", timezone="Mars"), "(Mars)"),
        (ScheduleSpec("DAILY", params=None), "“DAILY”"),  # type: ignore[arg-type]
        (ScheduleSpec("CRON", cron=None), "“CRON”"),  # type: ignore[arg-type]
        (ScheduleSpec("DAILY", starts_at="tomorrow"), "“DAILY”"),  # type: ignore[arg-type]
        (ScheduleSpec("DAILY", params=[]), "“DAILY”"),  # type: ignore[arg-type]
    ],
)
def test_invalid_schedules_are_quoted(spec: ScheduleSpec, quoted: str) -> None:
    assert quoted in describe_schedule(spec)
    assert "not a valid schedule" in describe_schedule(spec)


@pytest.mark.parametrize("language", ["de", "fr", "ja", "ar", "pt-br"])
def test_the_active_language_is_used(language: str) -> None:
    specs = (
        cron("30 9 * * 1-5"),
        cron("0 0 1 1 *"),
        cron("0 9 * * fri#3"),
        ScheduleSpec("WEEKLY"),
        ScheduleSpec("YEARLY", params="interval:2"),
    )
    with translation.override(language):
        described = [describe_schedule(spec) for spec in specs]
        for spec in specs:
            validate_schedule(spec)
    assert all("(UTC)" in text and "%" not in text for text in described)
    if language == "de":
        assert "Montag" in described[0] and "Januar" in described[1]


def test_a_translation_may_change_the_word_order(monkeypatch: pytest.MonkeyPatch) -> None:
    turned = {"%(time)s every day": "täglich %(time)s", "at %(times)s": "um %(times)s"}
    monkeypatch.setattr("chroniker.schedule.cron_description._", lambda text: turned.get(text, text))
    monkeypatch.setattr("chroniker.schedule.phrases._", lambda text: turned.get(text, text))
    assert describe_schedule(cron("0 3 * * *")) == "täglich um 03:00 (UTC)"


def test_a_job_without_a_schedule() -> None:
    assert (
        describe_schedule(ScheduleSpec("MANUAL", starts_at=utc(2026, 1, 1)))
        == "no schedule: started by hand or by a trigger"
    )
