"""Template tags, with ``{% load chroniker_tags %}``: states, times, durations, and the bar of the console.

Templates of monitors do not have them; they have ``chroniker.monitors.template_tags``. This module must not import the
admin, because Django imports it also in projects without an admin.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import template
from django.template import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chroniker.monitors import template_tags
from chroniker.wording import formats
from chroniker.wording.states import State
from chroniker.wording.states import state as state_of

register = template.Library()
register.tags.update(template_tags.register.tags)


@register.simple_tag(name="state")
def state_tag(code: str, word: str = "", pill: bool = False) -> SafeString:
    """A badge: shape and word in the tone of the state. ``word`` replaces the usual word."""
    found = state_of(code)
    return format_html(
        '<span class="state{}" data-tone="{}"{}>{}{}</span>',
        " pill" if pill else "",
        found.tone,
        SafeString(" data-live") if found.is_live else "",
        icon(found.shape),
        word or found.word,
    )


@register.simple_tag
def icon(shape: str, tone: str = "") -> SafeString:
    """The symbol alone, hidden from screen readers: a word must stand beside it."""
    toned = format_html(' data-tone="{}"', tone) if tone else ""
    return format_html(
        '<svg class="ico"{} viewBox="0 0 16 16" aria-hidden="true"><use href="#s-{}"/></svg>', toned, shape
    )


@register.simple_tag
def state_icon(code: str) -> SafeString:
    found = state_of(code)
    return icon(found.shape, found.tone)


@register.filter
def tone(code: str | State) -> str:
    """The tone of a state's code, for ``data-tone``."""
    return code.tone if isinstance(code, State) else state_of(code).tone


@register.filter
def short_time(value: dt.datetime | None, now: dt.datetime | None = None) -> str | SafeString:
    return _moment(value, formats.short_time(value, now))


@register.filter
def exact_time(value: dt.datetime | None, now: dt.datetime | None = None) -> str | SafeString:
    return _moment(value, formats.exact_time(value, now))


@register.filter
def relative(value: dt.datetime | None, now: dt.datetime | None = None) -> str | SafeString:
    """“2 s ago”. A script keeps the number up to date."""
    return _moment(value, formats.relative(value, now), SafeString(" data-rel"))


@register.filter
def elapsed(value: dt.datetime | None, now: dt.datetime | None = None) -> str | SafeString:
    """The time since ``value``, as a duration without “ago”. A script keeps the number up to date."""
    if value is None:
        return formats.NOTHING
    now = now or dt.datetime.now(dt.UTC)
    return _moment(value, formats.short_duration(now - value), SafeString(" data-elapsed"))


@register.filter
def short_duration(length: dt.timedelta | float | None) -> str:
    return formats.short_duration(length)


@register.filter
def grouped(number: int | None) -> str:
    """“1,980”."""
    return formats.count(number)


def _moment(value: dt.datetime | None, text: str, more: str = "") -> str | SafeString:
    if value is None:
        return text
    return format_html(
        '<time datetime="{}" title="{}"{}>{}</time>', value.isoformat(), formats.full_time(value), more, text
    )


@register.inclusion_tag("chroniker/console/bar.html", takes_context=True, name="console_bar")
def console_bar_tag(context: Context) -> dict[str, Any]:
    """The page links and the health of the scheduler. For pages of the admin."""
    from chroniker.admin.shared import console_bar  # only a page of the admin has this tag

    model = getattr(context.get("opts"), "model_name", "")
    return {"bar": context.get("bar") or console_bar.bar_of_admin_page(context["request"], model)}


@register.simple_tag(takes_context=True)
def console_url(context: Context, name: str) -> str:
    """The address of a page of the console; empty if the user may not open it."""
    from chroniker.admin.shared import console_bar

    return console_bar.page_url(context["request"], name)
