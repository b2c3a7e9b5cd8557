"""Text for terminals and logs: characters that would act, rather than show, are written as what they are."""

from __future__ import annotations

import re

#: Control characters (C0, DEL, C1), separators of lines and paragraphs, what turns the direction of text, and halves of
#: surrogate pairs, which cannot be written at all.
_ACTING = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_ACTING_BUT_LINES = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def has_control_characters(text: str) -> bool:
    """Whether there is a character in it that would do something to what shows it, a line break included."""
    return _ACTING.search(text) is not None


def escape_controls(text: str) -> str:
    """With its lines and tabs. An escape is ``\\u001b`` then, which is right within JSON too."""
    return _ACTING_BUT_LINES.sub(_named, text)


def one_line(text: object) -> str:
    """Also its line breaks and tabs: what is put into a line can begin no other."""
    return _ACTING.sub(_named, str(text))


def shortened(text: str, most: int = 60) -> str:
    """Its beginning, for a message that quotes it."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _named(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
