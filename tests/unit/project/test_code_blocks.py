"""Every code block of the documentation: Python is executed, commands and their options exist, data can be parsed.

A block that cannot be tested has the comment ``<!-- not tested: reason -->`` on the line before.
"""

from __future__ import annotations

import configparser
import json
import re
import shlex
from collections.abc import Iterator
from typing import Any
from unittest.mock import MagicMock

import pytest
import yaml
from django.core.management import get_commands, load_command_class

from chroniker.conf import DEFAULTS
from tests.support import ROOT, installed
from tests.support.code_blocks import Block, blocks, pages

ALL = list(blocks())
TESTED = [block for block in ALL if not block.excuse]
LANGUAGES = {"python", "sh", "yaml", "json", "ini"}
#: What a project has that is not in the block: its models, its functions, and what the lines before imported.
PROJECT = ("Account", "Report", "Sale", "late", "page_somebody", "path", "include", "Queue", "statsd", "BASE_DIR")
ENVIRONMENT = {"CHRONIKER_RUN_TOKEN": "1", "JOBS_WEBHOOK_SECRET": "whsec_x", "POSTGRES_PASSWORD": "x"}


#: What a block contains that needs Celery, or one of our commands for it.
ABOUT_CELERY = re.compile(r"^(from|import) celery\b|_celery_", re.MULTILINE)


def of(language: str) -> list[Block]:
    """Without Celery: those that can run without it."""
    found = [block for block in TESTED if block.language == language]
    return [block for block in found if installed.CELERY or not ABOUT_CELERY.search(block.body)]


def test_each_block_is_found() -> None:
    fences = sum(len(re.findall(r"^ *```\S", path.read_text(), re.MULTILINE)) for path in pages())
    bare = sum(len(re.findall(r"^ *```$", path.read_text(), re.MULTILINE)) for path in pages())
    assert len(ALL) == (fences + bare) / 2 > 50


@pytest.mark.parametrize("block", ALL, ids=str)
def test_each_block_has_a_known_language_or_an_excuse(block: Block) -> None:
    assert block.excuse or block.language in LANGUAGES, f"{block}: add a language, or <!-- not tested: reason -->"


@pytest.fixture
def _same_celery_app() -> Iterator[None]:
    """A block may create an app, which becomes the current one of the process."""
    if not installed.CELERY:
        yield
        return
    from celery import current_app

    before = current_app._get_current_object()  # type: ignore[attr-defined]
    yield
    before.set_current()


@pytest.mark.django_db
@pytest.mark.usefixtures("_same_celery_app")
@pytest.mark.parametrize("block", of("python"), ids=str)
def test_python_in_the_documentation_runs(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    from django.core.management import CommandError

    from chroniker.models import Job

    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    known = {"os": os, "Job": Job, "CommandError": CommandError, "INSTALLED_APPS": [], "__name__": "example"}
    namespace: dict[str, Any] = {**{name: MagicMock() for name in PROJECT}, **known}
    namespace["late"].__bool__.return_value = False
    exec(compile(block.body, str(block), "exec"), namespace)
    assert {name for name in namespace if name.startswith("CHRONIKER_")} <= DEFAULTS.keys()


@pytest.mark.parametrize("block", of("sh"), ids=str)
def test_commands_and_their_options_exist(block: Block) -> None:
    for line in block.body.replace("\\\n", " ").splitlines():
        line = CRON_TIMES.sub("", line).partition(" > ")[0]
        for command in re.split(r" && | \|\| ", line):
            if words := shlex.split(command, comments=True):
                check(words)


#: The five fields that a line of a crontab begins with.
CRON_TIMES = re.compile(r"^([\d*/,-]+ ){5}")


def check(words: list[str]) -> None:
    """The program is known, and accepts these words."""
    program, *rest = words
    program = program.rpartition("/")[2]
    if program in ("python", "python3") and rest[0] == "-c":
        compile(rest[1], "example", "exec")
    elif program in ("python", "python3") and rest[0].endswith("manage.py"):
        check_managed(rest[1:])
    elif program in ("manage.py", "django-admin"):
        check_managed(rest)
    elif program in get_commands():
        check_managed(words)
    elif program == "make":
        assert re.search(rf"^{rest[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), rest[0]
    elif program == "celery":
        check_celery(rest)
    elif program == "pip":
        assert re.fullmatch(r"install django-chroniker-celery(\[\w+\])?", " ".join(rest)), rest
        check_extra(rest[1])
    elif program == "chroniker":
        from chroniker import cli

        assert {word for word in rest if word.startswith("-")} <= set(re.findall(r'"(--?[a-z-]+)"', source_of(cli)))
    elif program == "chroniker-alive":
        from chroniker import alive

        alive.make_parser().parse_args(rest)
    else:
        assert program in OTHER_PROGRAMS, f"{program}: unknown; add a language to the block, or the program to the list"


#: Programs of other projects, as these examples use them.
OTHER_PROGRAMS = {".", "cd", "crontab", "docker", "mkdir", "pre-commit", "python3", "…", "kubectl", "systemctl"}


def check_managed(words: list[str]) -> None:
    name, *rest = words
    assert name in get_commands(), name
    app = get_commands()[name]
    command = load_command_class(app, name) if isinstance(app, str) else app
    if "--" in rest:
        rest = rest[: rest.index("--")]  # run_job
    command.create_parser("manage.py", name).parse_args(rest)


def check_celery(words: list[str]) -> None:
    if not installed.CELERY:
        return
    from celery.bin.celery import celery

    assert words[0] in ("-A", "--app")
    command = celery.commands[words[2]]
    options = {option for each in command.params for option in each.opts}
    assert {word.split("=")[0] for word in words[3:] if word.startswith("-")} <= options, words


def check_extra(requirement: str) -> None:
    extra = re.search(r"\[(\w+)\]", requirement)
    assert extra is None or f'"{extra[1]}": ' in (ROOT / "setup.py").read_text()


def source_of(module: Any) -> str:
    import inspect

    return inspect.getsource(module)


@pytest.mark.parametrize("block", [*of("yaml"), *of("json"), *of("ini")], ids=str)
def test_data_can_be_parsed(block: Block) -> None:
    if block.language == "yaml":
        assert list(yaml.safe_load_all(block.body))
    elif block.language == "json":
        json.loads(block.body)
    else:
        parser = configparser.RawConfigParser(strict=False)
        parser.read_string(block.body)
        assert parser.sections()
