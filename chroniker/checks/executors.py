"""CHRONIKER_EXECUTORS: its structure, its backends, and the checks of each executor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

from chroniker.conf import settings
from chroniker.executors import Executor, executors
from chroniker.models import Job

EXECUTORS_EXAMPLE = '{"default": {"BACKEND": "chroniker.executors.local.LocalExecutor", "OPTIONS": {}}}'
VALID_EXECUTOR_KEYS = {"BACKEND", "OPTIONS"}
MAX_ALIAS_LENGTH = Job._meta.get_field("executor").max_length or 0


def check_executors(**kwargs: Any) -> list[CheckMessage]:
    """Reports E002, E003, E004, and what each executor's own check finds."""
    configured: object = settings.executors
    if not isinstance(configured, Mapping):
        return [_malformed_setting_error(f"CHRONIKER_EXECUTORS is {configured!r}.")]
    found: list[CheckMessage] = []
    if "default" not in configured:
        hint = f"Add it: new jobs use it. Example: {EXECUTORS_EXAMPLE}"
        found.append(Error('CHRONIKER_EXECUTORS has no alias "default".', hint=hint, id="chroniker.E003"))
    for alias, config in configured.items():
        found += [
            _malformed_setting_error(problem) for problem in _find_executor_entry_problems(alias, config)
        ] or _check_executor(alias, config)
    return found


def _malformed_setting_error(message: str) -> Error:
    return Error(message, hint=f"Write it like {EXECUTORS_EXAMPLE}.", id="chroniker.E002")


def _find_executor_entry_problems(alias: object, config: object) -> list[str]:
    name = f"CHRONIKER_EXECUTORS[{alias!r}]"
    if not isinstance(alias, str) or not 0 < len(alias) <= MAX_ALIAS_LENGTH:
        return [f"The alias {alias!r} in CHRONIKER_EXECUTORS is not text of 1 to {MAX_ALIAS_LENGTH} characters."]
    if not isinstance(config, Mapping):
        return [f"{name} is {config!r}."]
    problems = [f"{name} has an unknown key {key!r}." for key in config if key not in VALID_EXECUTOR_KEYS]
    if not isinstance(config.get("BACKEND"), str):
        problems.append(f"{name}['BACKEND'] is {config.get('BACKEND')!r}.")
    if not isinstance(config.get("OPTIONS", {}), Mapping):
        problems.append(f"{name}['OPTIONS'] is {config['OPTIONS']!r}.")
    return problems


def _check_executor(alias: str, config: Mapping[str, Any]) -> list[CheckMessage]:
    path = config["BACKEND"]
    try:
        backend = import_string(path)
        if not (isinstance(backend, type) and issubclass(backend, Executor)):
            raise TypeError(f"{path} is not a subclass of chroniker.executors.Executor")
        return executors[alias].check()
    except Exception as error:  # any exception of another package's module
        hint = "Give the dotted path of an executor class. Is its package installed?"
        message = f"CHRONIKER_EXECUTORS[{alias!r}]['BACKEND'] = {path!r} cannot be used: {error}"
        return [Error(message, hint=hint, id="chroniker.E004")]
