"""Terminal text: removes escape sequences and control characters, and keeps colours as class names. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

#: Escape sequences: CSI; strings such as OSC up to their end; then those of two characters, and a lone escape.
_ESCAPE_SEQUENCE_REGEX = (
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
#: Also control characters, except the tab. A line has no line feed, and carriage returns are resolved before.
_INVISIBLE_TEXT_PATTERN = re.compile(rf"{_ESCAPE_SEQUENCE_REGEX}|[\x00-\x08\x0a-\x1f\x7f-\x9f]")
#: A fast test whether there is anything to remove, also for text of several lines.
_CONTROL_CHARACTER_PATTERN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_COLOUR_CODE_PATTERN = re.compile(r"(?:\x1b\[|\x9b)([0-9;:]*)m")
#: The usual 16 colours of a terminal, in the order of their codes 30-37 and 90-97.
_PALETTE = (
    (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
    (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255),
    (255, 255, 255),
)  # fmt: skip
_COLOUR_LEVELS = (0, 95, 135, 175, 215, 255)  # of the colours 16-231


class Style(NamedTuple):
    """How text looks. ``foreground`` and ``background`` are codes of the 16 colours, or 0 for the default."""

    bold: bool = False
    dim: bool = False
    underline: bool = False
    foreground: int = 0
    background: int = 0

    @property
    def css_classes(self) -> str:
        """Names of CSS classes: “a1 a31” is bold red."""
        codes = (self.bold * 1, self.dim * 2, self.underline * 4, self.foreground, self.background)
        return " ".join(f"a{code}" for code in codes if code)


PLAIN_STYLE = Style()


def visible_text(line: str) -> str:
    """The visible text of one line: the state after its last carriage return, without escapes and controls."""
    return remove_escapes(_overwritten_and_shown_text(line)[1])


def remove_escapes(text: str) -> str:
    """The text without escapes and controls; what carriage returns overwrite stays."""
    return _INVISIBLE_TEXT_PATTERN.sub("", text) if _CONTROL_CHARACTER_PATTERN.search(text) else text


def styled_segments(line: str, style: Style = PLAIN_STYLE) -> tuple[list[tuple[str, str]], Style]:
    """The visible text of one line as (classes, text), and the style after it.

    Joined, the texts are ``visible_text(line)``. Neighbours differ in their classes, and no text is empty.
    """
    hidden, shown = _overwritten_and_shown_text(line)
    style = style_after(hidden, style)
    found: list[tuple[str, str]] = []
    for text, following in _split_by_style(shown, style):
        if text and found and found[-1][0] == style.css_classes:
            found[-1] = (style.css_classes, found[-1][1] + text)
        elif text:
            found.append((style.css_classes, text))
        style = following
    return found, style


def style_after(text: str, style: Style = PLAIN_STYLE) -> Style:
    """The style that is in force after ``text``, which may have several lines."""
    for match in _COLOUR_CODE_PATTERN.finditer(text):
        style = _apply_sequence(style, match[1])
    return style


def _overwritten_and_shown_text(line: str) -> tuple[str, str]:
    """The overwritten text, and the text that is shown. A carriage return at the end of the line overwrites nothing."""
    hidden, _return, shown = line.rstrip("\r").rpartition("\r")
    return hidden, shown


def _split_by_style(text: str, style: Style) -> Iterator[tuple[str, Style]]:
    """Visible pieces of text, each with the style that follows it."""
    at = 0
    for match in _INVISIBLE_TEXT_PATTERN.finditer(text):
        if colour := _COLOUR_CODE_PATTERN.fullmatch(match[0]):
            style = _apply_sequence(style, colour[1])
        yield text[at : match.start()], style
        at = match.end()
    yield text[at:], style


def _apply_sequence(style: Style, parameters: str) -> Style:
    """The style after one sequence “ESC [ … m”. Unknown codes change nothing."""
    codes = [int(code or 0) for code in re.split("[;:]", parameters)] if len(parameters) < 100 else []
    while codes:
        code = codes.pop(0)
        if code in (38, 48):
            colour = _pop_colour_code(codes)
            if colour is not None and code == 38:
                style = style._replace(foreground=colour)
            elif colour is not None:
                style = style._replace(background=colour + 10)
        else:
            style = _apply_code(style, code)
    return style


def _apply_code(style: Style, code: int) -> Style:
    if code == 0:
        return PLAIN_STYLE
    if 30 <= code <= 37 or 90 <= code <= 97 or code == 39:
        return style._replace(foreground=0 if code == 39 else code)
    if 40 <= code <= 47 or 100 <= code <= 107 or code == 49:
        return style._replace(background=0 if code == 49 else code)
    if code == 22:
        return style._replace(bold=False, dim=False)
    if code in (4, 24):
        return style._replace(underline=code == 4)
    return style._replace(bold=style.bold or code == 1, dim=style.dim or code == 2)


def _pop_colour_code(codes: list[int]) -> int | None:
    """The code (30-37, 90-97) nearest to the colour “5;N” or “2;R;G;B” at the head of ``codes``, which it removes."""
    kind = codes.pop(0) if codes else None
    if kind == 5 and codes:
        return _code_of_256_colours(codes.pop(0))
    if kind == 2 and len(codes) >= 3:
        red, green, blue = codes[:3]
        del codes[:3]
        return _nearest_colour_code((red, green, blue))
    codes.clear()
    return None


def _code_of_256_colours(number: int) -> int:
    if number < 16:
        return number + 30 if number < 8 else number + 82
    if number < 232:
        red, rest = divmod(number - 16, 36)
        return _nearest_colour_code((_COLOUR_LEVELS[red], _COLOUR_LEVELS[rest // 6], _COLOUR_LEVELS[rest % 6]))
    grey = 8 + 10 * min(number - 232, 23)
    return _nearest_colour_code((grey, grey, grey))


def _nearest_colour_code(colour: tuple[int, int, int]) -> int:
    def distance(index: int) -> int:
        return sum((mine - theirs) ** 2 for mine, theirs in zip(colour, _PALETTE[index], strict=True))

    index = min(range(16), key=distance)
    return index + 30 if index < 8 else index + 82
