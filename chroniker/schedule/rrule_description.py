"""Describes recurrence rules in words."""

from __future__ import annotations

import datetime as dt

from django.utils.translation import gettext as _

from chroniker.schedule import phrases
from chroniker.schedule.clock_rule import UNIT_SECONDS
from chroniker.schedule.rrule_params import RecurrenceParams
from chroniker.schedule.spec import Frequency


def describe_recurrence(frequency: str, params: RecurrenceParams, start: dt.datetime) -> str | None:
    """The rule in words; None if it has no simple description. ``start`` gives values that are not in ``params``."""
    if params.bysetpos or params.byyearday or params.byweekno or params.byeaster or params.wkst:
        return None
    if frequency in UNIT_SECONDS:
        return _describe_subdaily_rule(phrases.interval_phrase(frequency, params.interval), params)
    times = phrases.times_phrase(
        params.byhour or (start.hour,), params.byminute or (start.minute,), params.bysecond or (start.second,)
    )
    days = _describe_days(frequency, params, start)
    return None if times is None or days is None else _("%(days)s %(times)s") % {"days": days, "times": times}


def _describe_subdaily_rule(every: str, params: RecurrenceParams) -> str | None:
    if params.bymonth or params.bymonthday or params.byweekday or params.byminute or params.bysecond:
        return None
    if not params.byhour:
        return every
    return _("%(every)s in the hours %(hours)s") % {"every": every, "hours": phrases.join_words(params.byhour)}


def _describe_days(frequency: str, params: RecurrenceParams, start: dt.datetime) -> str | None:
    if params.byweekday and params.bymonthday:
        return None
    if params.byweekday:
        return _describe_weekdays(frequency, params)
    if params.bymonthday:
        return _describe_monthdays(frequency, params)
    every, months = phrases.interval_phrase(frequency, params.interval), params.bymonth
    if frequency == Frequency.YEARLY:
        return _join_phrases(every, phrases.monthdays_phrase((start.day,), months or (start.month,)))
    if frequency == Frequency.MONTHLY:
        return None if months else _join_phrases(every, phrases.monthdays_phrase((start.day,)))
    if frequency == Frequency.WEEKLY:
        return _join_phrases(every, phrases.weekdays_phrase(((start.weekday(), 0),), months))
    return _join_phrases(every, _("in %(months)s") % {"months": phrases.month_names(months)}) if months else every


def _describe_weekdays(frequency: str, params: RecurrenceParams) -> str | None:
    """“every Monday”: without an interval, a yearly, monthly or daily rule fires on each of these weekdays."""
    counted = any(nth for _day, nth in params.byweekday)
    if frequency == Frequency.WEEKLY or (frequency == Frequency.MONTHLY and counted and not params.bymonth):
        every = phrases.interval_phrase(frequency, params.interval)
        return _join_phrases(every, phrases.weekdays_phrase(params.byweekday, params.bymonth))
    if counted and frequency == Frequency.YEARLY and params.bymonth:
        return _join_phrases(
            phrases.interval_phrase(frequency, params.interval),
            phrases.weekdays_phrase(params.byweekday, params.bymonth),
        )
    if counted or params.interval > 1:
        return None
    words = phrases.every_weekday_phrase([day for day, _nth in params.byweekday])
    if not params.bymonth:
        return words
    return _("%(days)s in %(months)s") % {"days": words, "months": phrases.month_names(params.bymonth)}


def _describe_monthdays(frequency: str, params: RecurrenceParams) -> str | None:
    """“every month on day 1 of the month”: without an interval, a yearly, weekly or daily rule does the same."""
    if len(params.bymonthday) > phrases.MAX_LISTED_ITEMS:
        return None
    if params.bymonth:
        named = phrases.monthdays_phrase(params.bymonthday, params.bymonth)
        is_yearly = frequency == Frequency.YEARLY or params.interval == 1
        return _join_phrases(phrases.interval_phrase(Frequency.YEARLY, params.interval), named) if is_yearly else None
    if frequency != Frequency.MONTHLY and params.interval > 1:
        return None
    return _join_phrases(
        phrases.interval_phrase(Frequency.MONTHLY, params.interval), phrases.monthdays_phrase(params.bymonthday)
    )


def _join_phrases(every: str, days: str | None) -> str | None:
    return _("%(every)s %(days)s") % {"every": every, "days": days} if days else None
