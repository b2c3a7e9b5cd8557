"""Types and ranges of the settings: one rule per setting."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ValidationError

from chroniker.conf import DEFAULTS
from chroniker.models.alert_fields import ALERT_FIELDS
from chroniker.models.web_addresses import is_web_address, parse_network

#: Takes a value. Returns ``None`` if it is valid, else a hint and the id of the check.
ValueRule = Callable[[Any], tuple[str, str] | None]

WRONG_TYPE_CHECK_ID, OUT_OF_RANGE_CHECK_ID = "chroniker.E006", "chroniker.E007"
#: Settings whose value may contain a secret and is not shown.
SECRET_SETTINGS = frozenset({"CHRONIKER_HEARTBEAT_URL", "CHRONIKER_METRICS_TOKEN"})


def number_rule(*, minimum: float, unit: str = "", is_exclusive: bool = False, whole: bool = False) -> ValueRule:
    """A number of at least ``minimum``, or with ``is_exclusive`` more than that."""
    kind = "a whole number" if whole else "a number"
    right = f"Give {kind}{unit and ' of ' + unit}, {'more than' if is_exclusive else 'at least'} {minimum:g}."

    def rule(value: Any) -> tuple[str, str] | None:
        # bool is a subclass of int
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            return right, WRONG_TYPE_CHECK_ID
        if not math.isfinite(value) or value < minimum or (is_exclusive and value == minimum):
            return right, OUT_OF_RANGE_CHECK_ID
        return None

    return rule


def instance_rule(types: tuple[type, ...], hint: str) -> ValueRule:
    def rule(value: Any) -> tuple[str, str] | None:
        return None if isinstance(value, types) else (hint, WRONG_TYPE_CHECK_ID)

    return rule


def check_text_list(value: Any) -> tuple[str, str] | None:
    """A list of texts. A plain string would be read as a list of its letters."""
    listed = isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes)
    if listed and all(isinstance(each, str) for each in value):
        return None
    return 'Give a list of command names, which may have wildcards: ["clearsessions", "report_*"].', WRONG_TYPE_CHECK_ID


def check_monitor_function_patterns(value: Any) -> tuple[str, str] | None:
    hint = 'Give a list of dotted paths, which may have wildcards: ["shop.monitors.*"], or None for the default.'
    return None if value is None or check_text_list(value) is None else (hint, WRONG_TYPE_CHECK_ID)


def check_hostname(value: Any) -> tuple[str, str] | None:
    if value is not None and not isinstance(value, str):
        return "Give this host's name as text, or None for the system's host name.", WRONG_TYPE_CHECK_ID
    if value is not None and len(value) > 200:
        return "Give a name of at most 200 characters.", OUT_OF_RANGE_CHECK_ID
    if value is not None and set(value) & set(",; \t*?"):
        return "Give a name without spaces, commas and wildcards.", OUT_OF_RANGE_CHECK_ID
    return None


def check_web_address(value: Any) -> tuple[str, str] | None:
    right = "Give an address such as https://jobs.example.com, or None for the one of django.contrib.sites."
    if value is not None and not isinstance(value, str):
        return right, WRONG_TYPE_CHECK_ID
    return None if value is None or is_web_address(value) else (right, OUT_OF_RANGE_CHECK_ID)


def check_email_addresses_or_none(value: Any) -> tuple[str, str] | None:
    hint = 'Give a list of e-mail addresses, ["ops@example.com"], or None for those of ADMINS.'
    if value is None:
        return None
    if check_text_list(value) is not None:
        return hint, WRONG_TYPE_CHECK_ID
    return None if all("@" in each for each in value) else (hint, OUT_OF_RANGE_CHECK_ID)


def check_heartbeat_address(value: Any) -> tuple[str, str] | None:
    right = "Give an address such as https://hc-ping.com/…, or None for no requests."
    if value is not None and not isinstance(value, str):
        return right, WRONG_TYPE_CHECK_ID
    return None if value is None or is_web_address(value) else (right, OUT_OF_RANGE_CHECK_ID)


def check_installation_name(value: Any) -> tuple[str, str] | None:
    right = "Give a name of at most 100 characters, None to recognise the database, or False to detect no copies."
    if value is None or value is False:
        return None
    if not isinstance(value, str):
        return right, WRONG_TYPE_CHECK_ID
    return None if 0 < len(value) <= 100 else (right, OUT_OF_RANGE_CHECK_ID)


def check_channel_hosts(value: Any) -> tuple[str, str] | None:
    hint = 'Give a list of host names and networks: ["chat.internal", "10.1.0.0/16"].'
    if check_text_list(value) is not None:
        return hint, WRONG_TYPE_CHECK_ID
    right = all((each and not set(each) & set(":/ @*")) or parse_network(each) is not None for each in value)
    return None if right else (hint, OUT_OF_RANGE_CHECK_ID)


TEXT_RULE = instance_rule((str,), "Give text.")
TEXT_OR_NONE_RULE = instance_rule((str, type(None)), "Give text, or None.")
BOOLEAN_RULE = instance_rule((bool,), "Give True or False.")


def check_shutdown_grace(value: Any) -> tuple[str, str] | None:
    wrong = None if value is None else number_rule(minimum=0, unit="seconds")(value)
    return wrong and (f"{wrong[0].rstrip('.')}, or None to wait until they have ended.", wrong[1])


def check_alert_settings(value: Any) -> tuple[str, str] | None:
    """The alert fields of all jobs, with values as in a job."""
    hint = 'Give the fields of alerts of all jobs: {"alert_start_seconds": 300, "alert_done_by": "06:00 mon-fri"}.'
    if not isinstance(value, Mapping):
        return hint, WRONG_TYPE_CHECK_ID
    for name, each in value.items():
        if name not in ALERT_FIELDS:
            return f"{hint} The names are: {', '.join(sorted(ALERT_FIELDS))}.", OUT_OF_RANGE_CHECK_ID
        if isinstance(each, bool) or not isinstance(each, str if name == "alert_done_by" else int):
            return hint, WRONG_TYPE_CHECK_ID
        try:
            field: Any = apps.get_model("chroniker", "Group")._meta.get_field(name)
            field.clean(each, None)
        except ValidationError as error:
            return f"{name}: {' '.join(error.messages)}", OUT_OF_RANGE_CHECK_ID
    return None


SETTING_RULES: Mapping[str, ValueRule] = {
    "CHRONIKER_LOCK_TIMEOUT": number_rule(minimum=0, is_exclusive=True, unit="seconds"),
    "CHRONIKER_HEARTBEAT_MISSES": number_rule(minimum=2),
    "CHRONIKER_STOP_GRACE_SECONDS": number_rule(minimum=0, unit="seconds"),
    "CHRONIKER_SHUTDOWN_GRACE_SECONDS": check_shutdown_grace,
    "CHRONIKER_START_DEADLINE_SECONDS": number_rule(minimum=0, is_exclusive=True, unit="seconds"),
    "CHRONIKER_REDISPATCH_SECONDS": number_rule(minimum=0, is_exclusive=True, unit="seconds"),
    "CHRONIKER_BATCH_SIZE": number_rule(minimum=1, whole=True),
    "CHRONIKER_PAUSED": BOOLEAN_RULE,
    "CHRONIKER_DISABLE_RAW_COMMAND": BOOLEAN_RULE,
    "CHRONIKER_SELECT_FOR_UPDATE": BOOLEAN_RULE,
    "CHRONIKER_USE_PID": BOOLEAN_RULE,
    "CHRONIKER_CHECK_LOCK_FILE": instance_rule((bool, type(None)), "Give True, False, or None: on for SQLite."),
    "CHRONIKER_RUNTIME_DIR": instance_rule(
        (str, os.PathLike, type(None)), "Give an absolute path, or None for one under the temporary directory."
    ),
    "CHRONIKER_HOSTNAME": check_hostname,
    "CHRONIKER_RELEASE": TEXT_RULE,
    "CHRONIKER_BASE_URL": check_web_address,
    "CHRONIKER_EMAIL_SENDER": TEXT_OR_NONE_RULE,
    "CHRONIKER_EMAIL_HOST_USER": TEXT_OR_NONE_RULE,
    "CHRONIKER_EMAIL_SUBJECT_ERROR": TEXT_RULE,
    "CHRONIKER_EMAIL_SUBJECT_SUCCESS": TEXT_RULE,
    "CHRONIKER_JOB_ERROR_CALLBACK": TEXT_OR_NONE_RULE,
    "CHRONIKER_HOST_TIMEOUT": number_rule(minimum=60, is_exclusive=True, unit="seconds"),
    "CHRONIKER_INSTALLATION": check_installation_name,
    "CHRONIKER_HOST_FORGET_DAYS": number_rule(minimum=1, unit="days"),
    "CHRONIKER_TICK_TIMEOUT": number_rule(minimum=0, is_exclusive=True, unit="seconds"),
    "CHRONIKER_ALARM_EMAILS": check_email_addresses_or_none,
    "CHRONIKER_HEARTBEAT_URL": check_heartbeat_address,
    "CHRONIKER_METRICS_TOKEN": TEXT_RULE,
    "CHRONIKER_METRICS_PUBLIC": BOOLEAN_RULE,
    "CHRONIKER_METRICS_JOBS": number_rule(minimum=0, whole=True),
    "CHRONIKER_CHANNEL_HOSTS": check_channel_hosts,
    "CHRONIKER_COMMANDS": check_text_list,
    "CHRONIKER_COMMANDS_DENIED": check_text_list,
    "CHRONIKER_MONITOR_FUNCTIONS": check_monitor_function_patterns,
    "CHRONIKER_COMMAND_SETUP": TEXT_OR_NONE_RULE,
    "CHRONIKER_SYNC_JOBS": BOOLEAN_RULE,
    "CHRONIKER_ALERTS": check_alert_settings,
}


def check_setting_values(**kwargs: Any) -> list[CheckMessage]:
    """Reports E006, E007."""
    found: list[CheckMessage] = []
    for name, rule in SETTING_RULES.items():
        value = getattr(settings, name, DEFAULTS[name])
        if (wrong := rule(value)) is not None:
            hint, check_id = wrong
            shown = "…" if name in SECRET_SETTINGS else repr(value)
            found.append(Error(f"{name} is {shown} ({type(value).__name__}).", hint=hint, id=check_id))
    return found
