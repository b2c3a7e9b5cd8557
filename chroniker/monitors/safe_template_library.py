"""The tags and filters of monitor templates: those of Django whose result is not much longer than their input.

Left out are, for example: ``lorem`` and ``rjust``, whose result can have any length; ``add``, with which nested
``with`` tags double a text again and again; ``include`` and ``extends``, which read files.
"""

from __future__ import annotations

from collections.abc import Iterable

from django import template
from django.template import defaultfilters, defaulttags
from django.utils.translation import gettext as _

from chroniker.monitors.render_limits import apply_budget_to_filter

register = template.Library()

ALLOWED_TAGS = (
    "autoescape",
    "comment",
    "cycle",
    "firstof",
    "for",
    "if",
    "ifchanged",
    "load",
    "now",
    "templatetag",
    "url",
    "verbatim",
    "with",
)
ALLOWED_FILTERS = (
    "capfirst",
    "cut",
    "default",
    "default_if_none",
    "divisibleby",
    "escape",
    "first",
    "last",
    "length",
    "linebreaksbr",
    "lower",
    "pluralize",
    "safe",
    "slice",
    "title",
    "truncatechars",
    "truncatewords",
    "upper",
    "urlencode",
    "wordcount",
    "yesno",
)
MAX_JOINED_LENGTH = 20_000

register.tags.update({name: defaulttags.register.tags[name] for name in ALLOWED_TAGS})
register.filters.update(
    {name: apply_budget_to_filter(defaultfilters.register.filters[name]) for name in ALLOWED_FILTERS}
)


@register.filter
def join(values: Iterable[object], separator: str) -> str:
    """Like Django's ``join``, for a list, with a limited result."""
    if isinstance(values, str):
        return values
    texts = [str(value) for value in values]
    if sum(map(len, texts)) + len(texts) * len(separator) > MAX_JOINED_LENGTH:
        raise template.TemplateSyntaxError(_("the result of “join” is too long."))
    return separator.join(texts)


@register.filter
def add(value: object, number: object) -> int | str:
    """Like Django's ``add``, for numbers only."""
    try:
        return int(str(value)[:20]) + int(str(number)[:20])
    except ValueError:
        return ""
