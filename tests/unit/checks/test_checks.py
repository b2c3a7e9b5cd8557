from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.checks import CheckMessage

import chroniker
from chroniker.checks import CHECK_MEANINGS_BY_ID
from chroniker.checks.names import OUTDATED_SETTINGS
from chroniker.checks.values import SETTING_RULES
from chroniker.conf import DEFAULTS
from chroniker.executors import Executor
from tests.unit.checks.check_messages import ids, only, problems

LOCAL = {"BACKEND": "chroniker.executors.local.LocalExecutor"}


class ComplainingExecutor(Executor):
    def check(self) -> list[CheckMessage]:
        return [CheckMessage(30, "I am not well.", hint="Rest.", id="someone.W001")]


def test_valid_settings_have_no_message() -> None:
    assert problems() == []


def test_the_check_ids_of_source_and_table_are_the_same() -> None:
    source = Path(chroniker.__file__).parent
    table = source / "checks" / "__init__.py"
    text = "".join(path.read_text() for path in source.rglob("*.py") if path != table)
    assert set(re.findall(r"chroniker\.[EWI]\d{3}", text)) == set(CHECK_MEANINGS_BY_ID)


def test_check_ids_are_well_formed_and_unique() -> None:
    assert all(re.fullmatch(r"chroniker\.[EW]\d{3}", check_id) for check_id in CHECK_MEANINGS_BY_ID)
    assert len(set(CHECK_MEANINGS_BY_ID.values())) == len(CHECK_MEANINGS_BY_ID)


def test_every_setting_has_a_rule() -> None:
    assert SETTING_RULES.keys() | {"CHRONIKER_EXECUTORS", "CHRONIKER_WEBHOOKS"} == DEFAULTS.keys()


def test_every_default_passes_its_own_rule() -> None:
    assert [name for name, rule in SETTING_RULES.items() if rule(DEFAULTS[name]) is not None] == []


def test_disabled_time_zones_are_an_error() -> None:
    assert only(USE_TZ=False).id == "chroniker.E001"


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"default": "chroniker.executors.local.LocalExecutor"},
        {"default": {"OPTIONS": {}}},
        {"default": {"BACKEND": 3}},
        {"default": {**LOCAL, "OPTIONS": ["workers"]}},
        {"default": {**LOCAL, "OPTION": {}}},
        {"default": LOCAL, "": LOCAL},
        {"default": LOCAL, 7: LOCAL},
        {"default": LOCAL, "x" * 51: LOCAL},
    ],
)
def test_the_message_for_malformed_executors_shows_a_valid_example(value: object) -> None:
    message = only(CHRONIKER_EXECUTORS=value)
    assert message.id == "chroniker.E002"
    assert message.hint and "BACKEND" in message.hint


def test_a_missing_default_executor_is_reported() -> None:
    assert only(CHRONIKER_EXECUTORS={"other": LOCAL}).id == "chroniker.E003"


@pytest.mark.parametrize(
    "backend", ["nowhere.Executor", "chroniker.executors.local.NoSuch", "chroniker.conf.Settings", "nodots"]
)
def test_a_backend_that_is_not_an_executor_is_named_with_its_alias(backend: str) -> None:
    message = only(CHRONIKER_EXECUTORS={"default": LOCAL, "broken": {"BACKEND": backend}})
    assert message.id == "chroniker.E004"
    assert "'broken'" in message.msg and backend in message.msg


def test_an_executor_adds_its_own_messages() -> None:
    backend = f"{__name__}.{ComplainingExecutor.__qualname__}"
    assert only(CHRONIKER_EXECUTORS={"default": {"BACKEND": backend}}).id == "someone.W001"


@pytest.mark.parametrize("workers", [0, -1, "4", 1.5])
def test_a_local_executor_needs_a_number_of_workers(workers: object) -> None:
    assert ids(CHRONIKER_EXECUTORS={"default": {**LOCAL, "OPTIONS": {"workers": workers}}}) == ["chroniker.E005"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHRONIKER_LOCK_TIMEOUT", "60"),
        ("CHRONIKER_LOCK_TIMEOUT", True),
        ("CHRONIKER_LOCK_TIMEOUT", None),
        ("CHRONIKER_HEARTBEAT_MISSES", "6"),
        ("CHRONIKER_STOP_GRACE_SECONDS", [10]),
        ("CHRONIKER_SHUTDOWN_GRACE_SECONDS", "30"),
        ("CHRONIKER_BATCH_SIZE", 2.5),
        ("CHRONIKER_PAUSED", "no"),
        ("CHRONIKER_DISABLE_RAW_COMMAND", 1),
        ("CHRONIKER_CHECK_LOCK_FILE", "yes"),
        ("CHRONIKER_RUNTIME_DIR", 3),
        ("CHRONIKER_HOSTNAME", b"here"),
        ("CHRONIKER_COMMANDS", "report_*"),
        ("CHRONIKER_COMMANDS", [1]),
        ("CHRONIKER_COMMANDS_DENIED", None),
        ("CHRONIKER_BASE_URL", 8000),
        ("CHRONIKER_ALARM_EMAILS", "ops@example.com"),
        ("CHRONIKER_ALARM_EMAILS", [None]),
        ("CHRONIKER_CHANNEL_HOSTS", "chat.internal"),
        ("CHRONIKER_INSTALLATION", True),
        ("CHRONIKER_INSTALLATION", 7),
    ],
)
def test_a_value_of_the_wrong_type_is_quoted(name: str, value: object) -> None:
    message = only(**{name: value})
    assert message.id == "chroniker.E006"
    assert name in message.msg and repr(value) in message.msg and message.hint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHRONIKER_LOCK_TIMEOUT", 0),
        ("CHRONIKER_LOCK_TIMEOUT", float("nan")),
        ("CHRONIKER_HEARTBEAT_MISSES", 1),
        ("CHRONIKER_STOP_GRACE_SECONDS", -1),
        ("CHRONIKER_SHUTDOWN_GRACE_SECONDS", -1),
        ("CHRONIKER_START_DEADLINE_SECONDS", 0),
        ("CHRONIKER_REDISPATCH_SECONDS", float("inf")),
        ("CHRONIKER_BATCH_SIZE", 0),
        ("CHRONIKER_HOSTNAME", "h" * 201),
        ("CHRONIKER_HOSTNAME", "*"),
        ("CHRONIKER_ALARM_EMAILS", ["ops"]),
        ("CHRONIKER_CHANNEL_HOSTS", ["https://chat.internal"]),
        ("CHRONIKER_INSTALLATION", ""),
        ("CHRONIKER_INSTALLATION", "x" * 101),
    ],
)
def test_a_value_out_of_range_is_quoted(name: str, value: object) -> None:
    message = only(**{name: value})
    assert message.id == "chroniker.E007"
    assert message.hint


@pytest.mark.parametrize("value", ["shop", "x" * 100, None, False])
def test_an_installation_is_named_recognised_or_not_compared(value: object) -> None:
    assert problems(CHRONIKER_INSTALLATION=value) == []


@pytest.mark.parametrize(("value", "expected"), [(b"https://s3cret", "chroniker.E006"), ("s3cret", "chroniker.E007")])
def test_the_message_about_a_heartbeat_address_does_not_repeat_it(value: object, expected: str) -> None:
    message = only(CHRONIKER_HEARTBEAT_URL=value)
    assert message.id == expected and "s3cret" not in f"{message.msg} {message.hint}"


def test_the_message_for_a_misspelt_setting_suggests_the_nearest_name() -> None:
    message = only(CHRONIKER_LOCK_TIMOUT=5)
    assert message.id == "chroniker.W001"
    assert message.hint == "Did you mean CHRONIKER_LOCK_TIMEOUT?"


def test_the_message_for_an_unknown_setting_lists_all_names() -> None:
    message = only(CHRONIKER_XYZZY=5)
    assert message.hint and all(name in message.hint for name in DEFAULTS)


def test_settings_of_the_celery_package_are_ignored() -> None:
    assert problems(CHRONIKER_CELERY_ANYTHING=5) == []


def test_a_setting_with_the_target_of_a_channel_is_known() -> None:
    assert problems(CHRONIKER_CHANNEL_OPS="https://hooks.example.com/x") == []


@pytest.mark.parametrize("name", OUTDATED_SETTINGS)
def test_a_removed_setting_of_django_chroniker_is_reported_with_its_replacement(name: str) -> None:
    message = only(**{name: "whatever"})
    assert message.id == "chroniker.W002"
    assert message.hint and message.hint.startswith(OUTDATED_SETTINGS[name])


def test_settings_kept_from_django_chroniker_are_accepted() -> None:
    assert problems(CHRONIKER_LOCK_TIMEOUT=90, CHRONIKER_DISABLE_RAW_COMMAND=True) == []


def test_an_installed_django_chroniker_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "django_chroniker-1.0.23.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: django-chroniker\nVersion: 1.0.23\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    message = only()
    assert message.id == "chroniker.E011"
    assert "1.0.23" in message.msg
