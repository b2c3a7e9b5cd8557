"""HTML of states, times and command lines, for template tags and for the columns of lists."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from chroniker.wording import formats
from chroniker.wording.states import State, state


@lru_cache(maxsize=256)
def icon(shape: str, tone: str = "") -> SafeString:
    """The symbol alone, hidden from screen readers: a word must stand beside it."""
    toned = format_html(' data-tone="{}"', tone) if tone else ""
    return format_html(
        '<svg class="ico"{} viewBox="0 0 16 16" aria-hidden="true"><use href="#s-{}"/></svg>', toned, shape
    )


def badge(code: str, word: str = "", *, pill: bool = False) -> SafeString:
    """Shape and word in the tone of a state. ``word`` replaces the usual word."""
    return (
        _badge_html(state(code), word, pill) if word else _badge_with_usual_word_cached(str(code), pill, get_language())
    )


@lru_cache(maxsize=256)
def _badge_with_usual_word_cached(code: str, pill: bool, language: str | None) -> SafeString:
    """Cached, because lists have one for each row. ``language`` is only a key of the cache."""
    return _badge_html(state(code), "", pill)


def _badge_html(found: State, word: str, pill: bool) -> SafeString:
    return format_html(
        '<span class="state{}" data-tone="{}"{}>{}{}</span>',
        " pill" if pill else "",
        found.tone,
        SafeString(" data-live") if found.is_animated else "",
        icon(found.shape),
        word or found.word,
    )


def time_html(value: dt.datetime | None, text: str, attribute: str = "") -> str | SafeString:
    """The text with the exact time for programs and as a tooltip. ``attribute``: marks a text that a script updates."""
    if value is None:
        return text
    more = format_html(" {}", attribute) if attribute else ""
    return format_html(
        '<time datetime="{}" title="{}"{}>{}</time>', value.isoformat(), formats.full_time(value), more, text
    )


def relative_time_html(value: dt.datetime | None, now: dt.datetime | None = None) -> str | SafeString:
    """“2 s ago”. A script keeps the number up to date."""
    return time_html(value, formats.relative(value, now), "data-rel")


def command_line_html(line: str) -> SafeString:
    """A command line whose words with hyphens stay whole: browsers break a line after the “--” of an option.

    A word that is longer than the line still wraps.
    """
    parts = re.split(r"(\s+)", line)
    words = [format_html('<span class="ops-word">{}</span>', part) if "-" in part else part for part in parts]
    return format_html_join("", "{}", ((word,) for word in words))


def list_cell(label: str, content: object, note: object = "") -> SafeString:
    """A cell of a list. ``label`` is shown on narrow screens, where the list has no head; ``note`` on a second line."""
    small = format_html("<small>{}</small>", note) if note else ""
    named = format_html('<span class="ops-label">{} </span>', label) if label else ""
    return format_html('<div class="ops-cell">{}{}{}</div>', named, content, small)
