"""The tag ``now_offset``, for templates of monitors and, by ``{% load chroniker_tags %}``, for those of projects."""

from __future__ import annotations

from django import template
from django.template.defaultfilters import date
from django.utils.translation import gettext as _

from chroniker.exceptions import MonitorError
from chroniker.monitors.relative_times import add_offset

register = template.Library()
#: The format may be a variable, and each of its characters may become a word.
MAX_FORMAT_LENGTH = 200


@register.simple_tag
def now_offset(format_string: str, offset: str | int = 0) -> str:
    """Like ``{% now %}`` with an offset: ``{% now_offset "Y-m-d" -7 %}`` for days, otherwise ``"-2h30m"`` in quotes."""
    if len(format_string) > MAX_FORMAT_LENGTH:
        raise template.TemplateSyntaxError(
            _("The format has more than %(max)d characters.") % {"max": MAX_FORMAT_LENGTH}
        )
    try:
        return date(add_offset(offset), format_string)
    except MonitorError as error:
        raise template.TemplateSyntaxError(str(error)) from None
