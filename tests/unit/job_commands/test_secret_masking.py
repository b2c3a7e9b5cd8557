from __future__ import annotations

import pytest
from django.test import override_settings

from chroniker.job_commands.secret_masking import MASK_TEXT, mask_secrets


def test_values_of_settings_and_variables_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "t0ken-value")
    with override_settings(PAYMENT_KEY="pay-key"):
        text = mask_secrets("curl -H t0ken-value --key=pay-key", "TOKEN=env:SHOP_TOKEN\nKEY=setting:PAYMENT_KEY")
    assert text == f"curl -H {MASK_TEXT} --key={MASK_TEXT}"


def test_the_longer_of_two_values_is_masked_first() -> None:
    with override_settings(SHORT="abcd", LONG="abcdefgh"):
        assert mask_secrets("abcdefgh abcd", "A=setting:SHORT\nB=setting:LONG") == f"{MASK_TEXT} {MASK_TEXT}"


def test_short_and_unknown_values_are_left() -> None:
    with override_settings(DIGIT="1"):
        assert mask_secrets("exit status 1", "A=setting:DIGIT\nB=env:SHOP_NOT_SET") == "exit status 1"


def test_invalid_lines_mask_nothing() -> None:
    assert mask_secrets("some text", "no source") == "some text"
