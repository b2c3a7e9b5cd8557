"""Badges of states."""

from __future__ import annotations

from django.utils import translation

from chroniker.wording.badges import badge


def test_a_badge_is_in_the_language_of_each_page() -> None:
    for language, word in (("en", "Failed"), ("de", "Fehlgeschlagen"), ("en", "Failed")):
        with translation.override(language):
            assert word in badge("failed")


def test_a_badge_may_have_a_word_of_its_own_which_is_escaped() -> None:
    assert "&lt;b&gt;" in badge("failed", "<b>")
    assert "&lt;b&gt;" not in badge("failed")
