"""Template tags, with ``{% load chroniker_tags %}``: states, times, durations, and the bar of the console.

Templates of monitors cannot use them; they use ``chroniker.monitors.template_tags``. This module must not import the
admin, because Django imports it also in projects without an admin.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import template
from django.template import Context
from django.utils.safestring import SafeString

from chroniker.monitors import template_tags
from chroniker.wording import badges, formats
from chroniker.wording.states import State
from chroniker.wording.states import state as state_of

register = template.Library()
register.tags.update(template_tags.register.tags)


@register.simple_tag(name="state")
def state_tag(code: str, word: str = "", pill: bool = False) -> SafeString:
    return badges.badge(code, word, pill=pill)


@register.simple_tag
def icon(shape: str, tone: str = "") -> SafeString:
    return badges.icon(shape, tone)


@register.simple_tag
def state_icon(code: str) -> SafeString:
    found = state_of(code)
    return badges.icon(found.shape, found.tone)


@register.filter(name="tone")
def state_tone(code: str | State) -> str:
    """The tone of a state, for ``data-tone``."""
    return code.tone if isinstance(code, State) else state_of(code).tone


@register.filter
def short_time(value: dt.datetime | None, now: dt.datetime | None = None) -> str | SafeString:
    return badges.time_html(value, formats.short_time(value, now))


@register.filter
def exact_time(value: dt.datetime | None, now: dt.datetime | None = None) -> str | SafeString:
    return badges.time_html(value, formats.exact_time(value, now))


@register.filter(name="relative")
def relative_time(value: dt.datetime | None, now: dt.datetime | None = None) -> str | SafeString:
    """The time relative to ``now``: “2 s ago”. A script keeps the number up to date."""
    return badges.relative_time_html(value, now)


@register.filter(name="elapsed")
def elapsed_time(value: dt.datetime | None, now: dt.datetime | None = None) -> str | SafeString:
    """The duration since ``value``, without “ago”. A script keeps the number up to date."""
    if value is None:
        return formats.NO_VALUE_TEXT
    now = now or dt.datetime.now(dt.UTC)
    return badges.time_html(value, formats.short_duration(now - value), "data-elapsed")


@register.filter
def short_duration(length: dt.timedelta | float | None) -> str:
    return formats.short_duration(length)


@register.filter
def command_line_html(line: str) -> SafeString:
    return badges.command_line_html(line)


@register.filter(name="grouped")
def group_digits(number: int | None) -> str:
    """A number with grouped digits: “1,980”."""
    return formats.format_count(number)


@register.inclusion_tag("chroniker/console/bar.html", takes_context=True, name="console_bar")
def console_bar_tag(context: Context) -> dict[str, Any]:
    """The bar of an admin page: the page links and the health of the scheduler.

    Only the first tag on a page renders it. Templates have the tag in the block "nav-breadcrumbs", and again in
    "messages", for themes without breadcrumbs.
    """
    from chroniker.admin.shared import console_bar  # only a page of the admin has this tag

    if context.render_context.get("console_bar"):
        return {"bar": None}
    context.render_context["console_bar"] = True
    model = getattr(context.get("opts"), "model_name", "")
    live_url = context.get("live_url") or ""
    return {
        "bar": context.get("bar")
        or console_bar.console_bar_context_for_django_page(context["request"], model, live_url)
    }


@register.simple_tag(takes_context=True)
def console_url(context: Context, name: str) -> str:
    """The address of a page of the console; empty if the user may not open it."""
    from chroniker.admin.shared import console_bar

    return console_bar.page_url(context["request"], name)
