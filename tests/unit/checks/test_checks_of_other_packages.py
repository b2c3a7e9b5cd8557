"""Checks that concern the rest of the project: its settings' set-up, and packages that cache queries."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.core.checks import CheckMessage, run_checks
from django.test import override_settings

from chroniker.checks import CHECK_TAG

EVERYTHING = {"*.*": {"ops": "all", "timeout": 60}}


def problems(**settings: Any) -> list[CheckMessage]:
    with override_settings(**settings):
        return run_checks(tags=[CHECK_TAG], databases=[])  # Django 6.1 would add all databases


@pytest.mark.parametrize("path", ["no.such.module", "os.path:no_such_function", "os.path:sep", ""])
def test_a_setup_that_cannot_be_loaded_is_named(path: str) -> None:
    [message] = problems(CHRONIKER_COMMAND_SETUP=path)
    assert message.id == "chroniker.E013" and repr(path) in message.msg and message.hint


@pytest.mark.parametrize("path", ["os.path", "os:getcwd"])
def test_a_setup_may_be_a_module_or_its_function(path: str) -> None:
    assert problems(CHRONIKER_COMMAND_SETUP=path) == []


def test_django_configurations_needs_a_setup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_CONFIGURATION", "Dev")
    [message] = problems()
    assert message.id == "chroniker.W012" and message.hint and "configurations:setup" in message.hint
    assert problems(CHRONIKER_COMMAND_SETUP="os:getcwd") == []


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if both packages for caching queries were in INSTALLED_APPS; they are not needed here."""
    real = apps.is_installed
    monkeypatch.setattr(apps, "is_installed", lambda name: name in ("cacheops", "cachalot") or real(name))


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"CACHEOPS": EVERYTHING}, 1),
        ({"CACHEOPS": {"chroniker.job": {"ops": ["get"], "timeout": 1}}}, 1),
        ({"CACHEOPS": {**EVERYTHING, "chroniker.*": None}}, 0),
        ({"CACHEOPS": {"*.*": {"timeout": 60}}}, 0),
        ({"CACHEOPS": {"*.*": {"timeout": 60}}, "CACHEOPS_DEFAULTS": {"ops": "all"}}, 1),
        ({"CACHEOPS": {"shop.*": {"ops": "all", "timeout": 60}}}, 0),
        ({"CACHEOPS": EVERYTHING, "CACHEOPS_ENABLED": False}, 0),
        ({}, 0),
    ],
)
def test_cacheops_must_not_cache_queries_of_chroniker(installed: None, settings: dict[str, Any], found: int) -> None:
    messages = problems(CACHALOT_ENABLED=False, **settings)
    assert [message.id for message in messages] == ["chroniker.E014"] * found
    assert all("CACHEOPS" in message.msg for message in messages)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, 1),
        ({"CACHALOT_UNCACHABLE_APPS": ["chroniker"]}, 0),
        ({"CACHALOT_ONLY_CACHABLE_APPS": ["sessions"]}, 0),
        ({"CACHALOT_ONLY_CACHABLE_TABLES": ["chroniker_job"]}, 1),
        ({"CACHALOT_UNCACHABLE_TABLES": ["chroniker_job"]}, 1),
        ({"CACHALOT_ENABLED": False}, 0),
    ],
)
def test_cachalot_must_not_cache_queries_of_chroniker(installed: None, settings: dict[str, Any], found: int) -> None:
    messages = problems(**settings)
    assert [message.id for message in messages] == ["chroniker.E014"] * found


def test_packages_that_are_not_installed_are_ignored() -> None:
    assert problems(CACHEOPS=EVERYTHING) == []
