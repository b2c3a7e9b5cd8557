"""Template tags: ``{% load chroniker_tags %}``. Templates of monitors have them without ``load``."""

from __future__ import annotations

from django import template
from django.template.defaultfilters import date

from chroniker.exceptions import MonitorError
from chroniker.monitors.relative_times import shift

register = template.Library()


@register.simple_tag
def now_offset(format_string: str, offset: str | int = 0) -> str:
    """Like ``{% now %}`` with an offset: ``{% now_offset "Y-m-d" -7 %}`` in days, or a text such as ``"-2h30m"``."""
    try:
        return date(shift(offset), format_string)
    except MonitorError as error:
        raise template.TemplateSyntaxError(str(error)) from None
