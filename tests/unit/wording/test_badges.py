"""Badges of states."""

from __future__ import annotations

from django.utils import translation

from chroniker.wording.badges import badge, command_line_html


def test_options_of_a_command_line_stay_whole_and_are_escaped() -> None:
    html = command_line_html("manage.py sync --dry-run  <x> <y-z>\n--all")
    first, second, third = (f'<span class="ops-word">{word}</span>' for word in ("--dry-run", "&lt;y-z&gt;", "--all"))
    assert html == f"manage.py sync {first}  &lt;x&gt; {second}\n{third}"
    assert command_line_html("") == ""


def test_a_badge_is_in_the_language_of_each_page() -> None:
    for language, word in (("en", "Failed"), ("de", "Fehlgeschlagen"), ("en", "Failed")):
        with translation.override(language):
            assert word in badge("failed")


def test_a_badge_may_have_a_word_of_its_own_which_is_escaped() -> None:
    assert "&lt;b&gt;" in badge("failed", "<b>")
    assert "&lt;b&gt;" not in badge("failed")
