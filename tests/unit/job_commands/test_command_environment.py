from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.test import override_settings

from chroniker.exceptions import CommandRefused
from chroniker.job_commands import environment as command_environment
from chroniker.process.run_spec import RunSpec


def refusal(environment: str = "", secrets: str = "") -> str:
    with pytest.raises(CommandRefused) as refused:
        command_environment.refuse_duplicate_names(environment, secrets)
    return str(refused.value)


def test_a_value_begins_after_the_first_equals_sign() -> None:
    text = 'A=1\r\n# a remark\n\n  B = two words = "quoted" \nEMPTY=\nNL=a\u2028b'
    assert command_environment.parse_variables(text) == {
        "A": "1",
        "B": ' two words = "quoted" ',
        "EMPTY": "",
        "NL": "a\u2028b",
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("no sign", "“=” is missing. Write NAME=value."),
        ("1A=x", "“1A” is not a valid name."),
        ("A B=x", "“A B” is not a valid name."),
        ("CHRONIKER_RUN_ID=x", "“CHRONIKER_RUN_ID” is reserved."),
        ("FIRST=again", "“FIRST” is repeated."),
    ],
)
def test_an_invalid_line_is_named_by_its_number(line: str, message: str) -> None:
    assert refusal(f"FIRST=1\n{line}").startswith(f"Line 2: {message}")


@pytest.mark.parametrize(
    "line", ["KEY=hunter2", "KEY=hunter2:x", "KEY=setting:hunter2", "KEY=env:hunter 2", "hunter2", "KEY=file:hunter2"]
)
def test_error_messages_never_repeat_a_secret(line: str) -> None:
    message = refusal(secrets=line)
    assert "hunter" not in message
    assert message.startswith("Line 1: ")


def test_a_name_is_either_a_variable_or_a_secret() -> None:
    assert "“KEY”: given as a variable and as a secret" in refusal("KEY=1", "KEY=env:KEY")


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "PYTHONPATH", "BASH_ENV"])
def test_variables_that_select_code_need_raw_commands(name: str) -> None:
    assert command_environment.parse_variables(f"{name}=x") == {name: "x"}
    with override_settings(CHRONIKER_DISABLE_RAW_COMMAND=True):
        assert "can change which code runs" in refusal(f"{name}=x")
        assert "can change which code runs" in refusal(secrets=f"{name}=env:HOME")


def test_secrets_are_resolved_on_the_executing_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_THIS_HOST", "t0ken")
    lines = "TOKEN=env:TOKEN_OF_THIS_HOST\nKEY=setting:PAYMENT_KEY"
    with override_settings(PAYMENT_KEY="k3y"):
        assert command_environment.resolve_environment("A=1", lines) == {"A": "1", "TOKEN": "t0ken", "KEY": "k3y"}


def test_missing_or_non_text_secrets_are_named_without_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_THERE", raising=False)
    for line, message in {
        "KEY=env:NOT_THERE": "has no variable “NOT_THERE”",
        "KEY=setting:NOT_THERE": "has no setting “NOT_THERE”",
        "KEY=setting:ODD": "the value of “ODD” is not text",
    }.items():
        with override_settings(ODD={"secret": "hunter2"}), pytest.raises(CommandRefused, match=message) as refused:
            command_environment.resolve_environment("", line)
        assert "“KEY”" in str(refused.value) and "hunter2" not in str(refused.value)


def test_the_working_directory_is_absolute_and_must_exist(tmp_path: Path) -> None:
    assert command_environment.resolve_working_directory("") is None
    assert command_environment.resolve_working_directory(str(tmp_path)) == str(tmp_path)
    for text in ("var/shop", "~/shop", "$HOME"):
        with pytest.raises(CommandRefused, match="is not an absolute path"):
            command_environment.parse_working_directory(text)
    with pytest.raises(CommandRefused, match="There is no working directory “/no/such/place” on"):
        command_environment.resolve_working_directory("/no/such/place")


def test_a_printed_run_spec_shows_no_variable() -> None:
    from uuid import uuid4

    assert "hunter2" not in repr(RunSpec(uuid4(), 1, 1, ("noop",), env={"KEY": "hunter2"}))
    assert "KEY" not in os.environ
