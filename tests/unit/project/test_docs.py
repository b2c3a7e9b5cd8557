"""Names in the code that the reference must have."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from chroniker.checks import CHECK_MEANINGS_BY_ID
from chroniker.conf import DEFAULTS
from chroniker.insights.metrics.families import METRIC_FAMILIES
from chroniker.models import EventKind, Job, Status
from tests.support import ROOT

DOCS = ROOT / "docs"
CODE = re.compile(r"`[^`]*`")


def page(name: str) -> str:
    return (DOCS / "reference" / f"{name}.md").read_text()


@pytest.mark.parametrize("setting", DEFAULTS)
def test_each_setting_is_in_the_reference(setting: str) -> None:
    """In the table of settings, not in another table."""
    rows = page("settings").split("\n\n")[2]
    assert f"\n| `{setting}` | " in rows


@pytest.mark.parametrize("check", CHECK_MEANINGS_BY_ID)
def test_each_check_is_in_the_reference(check: str) -> None:
    assert f"`{check}`" in page("checks")


@pytest.mark.parametrize("state", [*Status.values, *EventKind.values])
def test_each_state_and_kind_of_event_is_in_the_reference(state: str) -> None:
    assert f"| {state} |" in page("states")


COMMANDS = sorted(name for name, app in get_commands().items() if app in ("chroniker", "chroniker_celery"))


def options(command: str) -> list[str]:
    """The options and positional arguments that a command has besides Django's own, as the reference writes them."""
    parser = load_command_class(get_commands()[command], command).create_parser("manage.py", command)
    common = {
        name for action in BaseCommand().create_parser("manage.py", "")._actions for name in action.option_strings
    }
    own = [action for action in parser._actions if not common & {*action.option_strings}]
    return [action.option_strings[0] if action.option_strings else str(action.metavar or action.dest) for action in own]


def documented_options() -> dict[str, str]:
    """Command -> the cells of the table of options that belong to it."""
    section = page("commands").split("## Options")[1].split("\n## ")[0]
    found: dict[str, str] = {}
    command = ""
    for row in section.splitlines():
        if row.startswith("| "):
            name, option = (cell.strip() for cell in row.split("|")[1:3])
            command = name.strip("`") or command
            found[command] = found.get(command, "") + option
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_in_the_reference(command: str) -> None:
    assert f"\n| `{command}" in page("commands")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_option_of_a_command_is_in_the_reference(command: str) -> None:
    written = documented_options().get(command, "").lower()
    assert [name for name in options(command) if f"`{name.lower()}`" not in written] == []


def test_the_reference_names_no_option_that_does_not_exist() -> None:
    for command, cells in documented_options().items():
        if command in COMMANDS:
            known = {name.lower() for name in options(command)}
            assert {name.lower() for name in re.findall(r"`([^`]+)`", cells)} <= known, command


@pytest.mark.parametrize("setting", re.findall(r"\n\| `(CHRONIKER_[A-Z_]+)`", page("settings").split("\n\n")[2]))
def test_the_reference_names_no_setting_that_does_not_exist(setting: str) -> None:
    assert setting in DEFAULTS


@pytest.mark.parametrize("field", [each.name for each in Job._meta.get_fields() if each.concrete])
def test_each_field_of_a_job_is_in_the_reference(field: str) -> None:
    assert f"`{field}`" in page("jobs")


def test_the_reference_has_the_table_of_all_metrics() -> None:
    rows = re.findall(r"\n\| `(chroniker_\w+)` \| (\w+) \| (.*) \| (.*) \|", page("metrics"))
    assert rows == [
        (each.full_name, each.kind, ", ".join(f"`{label}`" for label in each.labels) or "-", each.help)
        for each in METRIC_FAMILIES
    ]


def test_the_reference_has_each_answer_about_the_health() -> None:
    codes = {("installation", "copied"), ("database", "failing"), ("migrations", "missing")}
    source = (ROOT / "chroniker" / "insights" / "scheduler_health.py").read_text()
    codes |= set(re.findall(r'found\["(\w+)"\] = "(\w+)"', source))
    rows = dict(re.findall(r"\n\| `(\w+)` \| (.*) \|", page("metrics").partition("| check | values |")[2]))
    assert codes == {(check, code) for check, text in rows.items() for code in re.findall(r"`(\w+)`: ", text)}


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=lambda path: path.stem)
def test_each_table_row_has_as_many_cells_as_its_header(path: Path) -> None:
    """Markdown silently omits cells beyond the header."""
    head = 0
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        bars = CODE.sub("", line).count("|") if line.startswith("|") else 0
        assert not head or not bars or bars == head, f"{path.name}:{number}"
        head = bars and (head or bars)


@pytest.mark.skipif(find_spec("celery") is None, reason="Celery is not installed")
@pytest.mark.celery
def test_each_check_of_the_fleet_is_in_the_reference() -> None:
    from chroniker_celery.checks import CHECK_MEANINGS_BY_ID as CELERY_CHECKS

    for check in CELERY_CHECKS:
        assert f"`{check}`" in page("checks")


@pytest.mark.skipif(find_spec("celery") is None, reason="Celery is not installed")
@pytest.mark.celery
def test_each_option_of_the_celery_executor_is_in_the_reference() -> None:
    from chroniker_celery.checks import VALID_OPTIONS

    section = page("settings").split("## Options of the executors")[1].split("\n## ")[0]
    assert [name for name in sorted(VALID_OPTIONS) if f"| `{name}` |" not in section] == []


def test_each_diagram_belongs_to_its_source() -> None:
    check = [sys.executable, str(ROOT / ".ci" / "diagrams.py"), "--check"]
    assert subprocess.run(check, capture_output=True, check=False).returncode == 0, "run .ci/diagrams.py mermaid.min.js"


def test_the_list_of_modules_is_current() -> None:
    check = [sys.executable, str(ROOT / ".ci" / "module_map.py"), "--check"]
    assert subprocess.run(check, capture_output=True, check=False).returncode == 0, "run python .ci/module_map.py"
