"""The arguments of a command, validated by its own parser, which must neither act nor end the process."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import override_settings

from chroniker.exceptions import CommandLoadError, CommandRefused
from chroniker.job_commands.catalogue import app_of_command, available_commands, read_static_help
from chroniker.job_commands.options import argument_error, describe_command

GOOD = "one --colour red"


def test_options_are_described_as_they_are_written() -> None:
    found = describe_command("takes")
    assert found.help == "Take every kind of argument that there is."
    own = {option.names: option for option in found.options if not option.common}
    assert list(own) == [
        "word", "[more …]", "--colour {red,green}", "--number, -n N", "--pair FROM TO", "--output OUTPUT",
        "--convert CONVERT", "--leave LEAVE",
    ]  # fmt: skip
    assert own["--colour {red,green}"].help == "the colour of it"
    assert own["[more …]"].help == "as many as 100% you like"
    assert own["--number, -n N"].default == "7"
    assert [option.names for option in own.values() if option.required] == ["--colour {red,green}"]


def test_options_of_every_command_are_marked() -> None:
    common = [option.names for option in describe_command("noop").options if option.common]
    assert "--traceback" in common and "-h, --help" in common


@pytest.mark.parametrize(
    "args",
    [
        GOOD,
        "one two three --colour red -n 8 --pair a b",
        "one --colour=green --verbosity 2 --settings x.y",
        f"{GOOD} --convert x --output /no/such/directory/file",
        "--help",
        "--version",
    ],
)
def test_valid_arguments_are_accepted(args: str) -> None:
    assert argument_error("takes", args) is None


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ("", "required: word"),
        ("one", "required: --colour"),
        (f"{GOOD} --nonsense", "--nonsense"),
        (f"{GOOD} --coulour=red", "--coulour=red. Did you mean “--colour”?"),
        ("one --colour blue", "invalid choice: 'blue'"),
        (f"{GOOD} --number seven", "invalid int value: 'seven'"),
        (f"{GOOD} --pair a", "expected 2 arguments"),
        (f"{GOOD} --number", "expected one argument"),
    ],
)
def test_invalid_arguments_are_named(args: str, message: str) -> None:
    found = argument_error("takes", args)
    assert found is not None and found.startswith("“takes” does not accept these arguments: ")
    assert message in found


def test_validation_opens_and_converts_nothing(tmp_path: Path) -> None:
    words = " ".join(f"--{name} {tmp_path / name}" for name in ("output", "convert", "leave"))
    assert argument_error("takes", f"{GOOD} {words}") is None
    assert list(tmp_path.iterdir()) == []


def test_arguments_of_subcommands_are_validated() -> None:
    assert argument_error("nested", "add --size 3") is None
    for bad in ("add --size x", "add --nonsense", "subtract"):
        assert argument_error("nested", bad) is not None


def test_commands_with_their_own_argument_parsing_are_not_validated() -> None:
    assert argument_error("own_way", "anything --goes") is None


def test_a_command_that_cannot_be_loaded_accepts_any_argument() -> None:
    with pytest.raises(CommandLoadError, match="SystemExit: a library <that> is missing"):
        describe_command("cannot_load")
    assert argument_error("cannot_load", "--anything") is None


@pytest.mark.parametrize("name", ["flush", "no_such_command"])
def test_denied_commands_are_not_loaded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded(name: str) -> None:
        raise AssertionError(f"{name} was loaded")

    monkeypatch.setattr("chroniker.job_commands.catalogue.load_command", loaded)
    for ask in (describe_command, lambda name: argument_error(name, "")):
        with pytest.raises(CommandRefused):
            ask(name)


def test_the_command_list_leaves_out_denied_commands() -> None:
    found = available_commands()
    by_name = {offer.name: offer for offer in found}
    assert by_name["takes"].app == "tests.testapp"
    assert by_name["takes"].help == "Take every kind of argument that there is."
    assert by_name["check"].app == "django.core"
    assert "system" in by_name["check"].help or "project" in by_name["check"].help
    assert not {"flush", "shell", "cron"} & by_name.keys()
    apps = [offer.app for offer in found]
    assert apps == sorted(apps, key=lambda app: (app.startswith("django."), app))
    with override_settings(CHRONIKER_COMMANDS=["no*"]):
        assert [offer.name for offer in available_commands()] == ["noop"]


def test_help_is_read_without_importing() -> None:
    assert read_static_help("own_way") == "Help over two lines."  # translated, and over two lines
    assert read_static_help("cannot_load") == ""
    assert app_of_command("cannot_load") == "tests.testapp"


@pytest.mark.parametrize(
    ("args", "is_accepted"),
    [
        ("", True),
        ("--colour red", True),
        ("--zzz-nope", False),
        ("--colour blue", False),
        ("--colour red -- --anything", True),  # the override reads “--”
        ("--own --zzz-nope", True),  # the override reads “--own”
    ],
)
def test_arguments_of_commands_that_wrap_run_from_argv_are_validated(args: str, is_accepted: bool) -> None:
    assert (argument_error("wraps_argv", args) is None) is is_accepted
