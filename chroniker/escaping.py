"""Escapes control characters in texts for terminals and logs."""

from __future__ import annotations

import re

#: Control characters (C0, DEL, C1), line and paragraph separators, characters that change the direction of text, and
#: surrogates, which cannot be encoded.
_CONTROL_CHARACTER_PATTERN = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_CONTROL_EXCEPT_TAB_AND_NEWLINE_PATTERN = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def has_control_characters(text: str) -> bool:
    """Whether the text contains a control character. Line breaks and tabs count."""
    return _CONTROL_CHARACTER_PATTERN.search(text) is not None


def escape_controls(text: str) -> str:
    """Escapes control characters except newlines and tabs, as ``\\u001b``, which is also valid in JSON."""
    return _CONTROL_EXCEPT_TAB_AND_NEWLINE_PATTERN.sub(_escape, text)


def to_one_line(text: object) -> str:
    """Escapes control characters including newlines and tabs, so that text cannot start a new line."""
    return _CONTROL_CHARACTER_PATTERN.sub(_escape, str(text))


def shortened(text: str, max_length: int = 60) -> str:
    """The beginning of the text, for a message that quotes it."""
    return text if len(text) <= max_length else f"{text[: max_length - 1]}…"


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
