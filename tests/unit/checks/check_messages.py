"""The messages of the system checks under given settings."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.db import connections
from django.test import override_settings

from chroniker.checks import CHECK_TAG


def problems(**settings: Any) -> list[CheckMessage]:
    with override_settings(**settings):
        return run_checks(tags=[CHECK_TAG], databases=[])  # Django 6.1 would add all databases


def ids(**settings: Any) -> list[str]:
    return [str(message.id) for message in problems(**settings)]


def only(**settings: Any) -> CheckMessage:
    [message] = problems(**settings)
    return message


def be_of_kind(vendor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections["default"], "vendor", vendor)
