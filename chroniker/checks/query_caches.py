"""Packages that cache query results: the scheduler must decide by what the database contains now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.apps import apps
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error

CACHE_CONSEQUENCE_TEXT = "The scheduler would decide by old rows: jobs start late, and pages show wrong states."


def check_query_caches(**kwargs: Any) -> list[CheckMessage]:
    """Reports E014."""
    return [*_check_cacheops(), *_check_cachalot()]


def _check_cacheops() -> Iterable[CheckMessage]:
    profiles = {str(key).lower(): value for key, value in (_read_setting("CACHEOPS") or {}).items()}
    if not apps.is_installed("cacheops") or not _read_setting("CACHEOPS_ENABLED", True):
        return
    models = [model._meta.model_name for model in apps.get_app_config("chroniker").get_models()]
    if any(_is_cached(profiles, str(name)) for name in models):
        yield Error(
            f"CACHEOPS caches queries of chroniker. {CACHE_CONSEQUENCE_TEXT}",
            hint='Add this entry to CACHEOPS: "chroniker.*": None',
            id="chroniker.E014",
        )


def _is_cached(profiles: Mapping[str, Any], model: str) -> bool:
    """By cacheops' own rule: the most specific entry applies, and ``ops`` lists what is cached."""
    for key in (f"chroniker.{model}", "chroniker.*", "*.*"):
        if key in profiles:
            profile = profiles[key]
            return profile is not None and bool({**(_read_setting("CACHEOPS_DEFAULTS") or {}), **profile}.get("ops"))
    return False


def _check_cachalot() -> Iterable[CheckMessage]:
    if not apps.is_installed("cachalot") or not _read_setting("CACHALOT_ENABLED", True):
        return
    tables = {model._meta.db_table for model in apps.get_app_config("chroniker").get_models()}
    only = _tables_in_settings("CACHALOT_ONLY_CACHABLE_TABLES", "CACHALOT_ONLY_CACHABLE_APPS")
    never = _tables_in_settings("CACHALOT_UNCACHABLE_TABLES", "CACHALOT_UNCACHABLE_APPS")
    if (tables & only if only else tables) - never:
        yield Error(
            f"django-cachalot caches queries of chroniker. {CACHE_CONSEQUENCE_TEXT}",
            hint='Add "chroniker" to CACHALOT_UNCACHABLE_APPS.',
            id="chroniker.E014",
        )


def _tables_in_settings(tables_setting: str, apps_setting: str) -> set[str]:
    of_apps = {
        model._meta.db_table
        for label in _read_setting(apps_setting) or ()
        if apps.is_installed(label) or label in apps.app_configs
        for model in apps.all_models[label].values()
    }
    return {*(_read_setting(tables_setting) or ()), *of_apps}


def _read_setting(name: str, default: Any = None) -> Any:
    return getattr(django_settings, name, default)
