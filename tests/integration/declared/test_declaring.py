"""Declarations are discovered, and errors in them are named."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest
from django.core.checks import run_checks

from chroniker.checks import TAG_OF_CHECKS_THAT_IMPORT_APPS
from chroniker.declared.declaration import JobFields
from chroniker.declared.discovery import discover_declarations
from chroniker.declared.loading import load_declared_jobs
from chroniker.models import Job
from tests.support.declared_app import Shop


def names() -> list[str]:
    declared, problems = load_declared_jobs()
    assert problems == []
    return [one.name for one in declared]


def only_problem() -> str:
    [message] = run_checks(tags=[TAG_OF_CHECKS_THAT_IMPORT_APPS])
    assert message.id == "chroniker.E020"
    return str(message.msg)


def test_a_decorated_command_is_found(shop: Shop) -> None:
    shop.command("report", '@chroniker.job(cron="0 3 * * *")')
    [one] = load_declared_jobs()[0]
    assert (one.name, one.job.command, one.dotted_path) == (
        "report",
        "report",
        f"{shop.name}.management.commands.report.Command",
    )


def test_several_decorators_declare_several_jobs_in_order(shop: Shop) -> None:
    shop.command(
        "report",
        """
        @chroniker.job(name="daily", cron="0 3 * * *", args=["--days", "1", "of all"])
        @chroniker.job(name="weekly", cron="0 4 * * 1", args="--days 7")
        """,
    )
    assert names() == ["daily", "weekly"]
    assert [one.job.args for one in load_declared_jobs()[0]] == ["--days 1 'of all'", "--days 7"]


def test_subclasses_do_not_inherit_declarations(shop: Shop) -> None:
    shop.command("report", '@chroniker.job(cron="0 3 * * *")')
    shop.write(
        "management/commands/special.py",
        f"""
        # chroniker
        from {shop.name}.management.commands.report import Command as Report
        class Command(Report):
            pass
        """,
    )
    assert names() == ["report"]


def test_variables_and_lists_in_a_jobs_module_are_found_once(shop: Shop) -> None:
    shop.jobs(
        """
        night = chroniker.job(name="night", command="noop", cron="0 3 * * *")
        again = night
        EACH = [chroniker.job(name=f"part {n}", command="noop", cron=f"{n} * * * *") for n in range(3)]
        """
    )
    assert names() == ["night", "part 0", "part 1", "part 2"]
    assert {one.dotted_path for one in load_declared_jobs()[0]} == {f"{shop.name}.jobs.night", f"{shop.name}.jobs.EACH"}


def test_modules_without_the_word_chroniker_are_not_imported(shop: Shop) -> None:
    shop.write("jobs.py", "raise RuntimeError('imported')")
    shop.write("management/commands/other.py", "raise RuntimeError('imported')")
    assert names() == []


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import not_installed", "ModuleNotFoundError: "),
        ("raise SystemExit('chroniker needs pandas')", "SystemExit: chroniker needs pandas"),
        ("jobs =", "SyntaxError: "),
    ],
)
def test_a_failed_import_is_reported(shop: Shop, source: str, error: str) -> None:
    shop.jobs(source)
    assert f"{shop.name}.jobs: it cannot be imported: {error}" in only_problem()


def test_declaring_needs_neither_settings_nor_models() -> None:
    program = """
    import sys, chroniker
    @chroniker.job(cron="0 3 * * *")
    class Command: pass
    assert not [name for name in sys.modules if name.startswith(("django", "chroniker.models"))]
    """
    subprocess.run([sys.executable, "-c", dedent(program)], check=True)


def test_declarable_fields_are_the_editable_fields() -> None:
    editable = {field.name for field in Job._meta.concrete_fields if field.editable and not field.primary_key}
    assert set(JobFields.__annotations__) == (editable - {"force_run", "force_stop"}) | {
        "after",
        "triggered_by",
        "channels",
        "tags",
    }


BAD = {
    "a misspelt field": ('time_zone="UTC", cron="0 3 * * *"', "time_zone: ", "Did you mean timezone?"),
    "a bad cron expression": ('cron="61 * * * *"', "cron: ", "61"),
    "no schedule": ("", "cron: ", "0 3 * * *"),
    "no such zone": ('cron="0 3 * * *", timezone="Mars/Olympus"', "timezone: ", "Mars/Olympus"),
    "no such command": ('command="nooop", cron="0 3 * * *"', "command: ", "Did you mean “noop”?"),
    "no such choice": ('cron="0 3 * * *", overlap="PILE"', "overlap: ", "PILE"),
    "a number that is none": ('cron="0 3 * * *", timeout_seconds="soon"', "timeout_seconds: ", "soon"),
    "a moment without a zone": (
        'frequency="ONCE", run_at=__import__("datetime").datetime(2030, 1, 1)',
        "run_at: ",
        "has no time zone",
    ),
    "subscribers": ('cron="0 3 * * *", subscribers=["ann"]', "subscribers: ", "admin"),
    "text instead of a list": ('cron="0 3 * * *", after="import"', "after: ", '["import orders"]'),
    "an empty group": ('cron="0 3 * * *", group=""', "group: ", "None"),
    "a raw command beside a command": ('cron="0 3 * * *", raw_command="ls"', "command: ", "not both"),
    "waiting for itself": ('cron="0 3 * * *", after=["bad"]', "after: ", "“bad” → “bad”"),
}


@pytest.mark.parametrize("what", BAD)
def test_the_check_names_file_line_and_field(shop: Shop, what: str) -> None:
    fields, field, expected = BAD[what]
    command = "" if "command=" in fields and "raw" not in fields else 'command="noop", '
    shop.jobs(f'\n\nbad = chroniker.job(name="bad", {command}{fields})')
    problem = only_problem()
    assert problem.startswith(f"{shop.name}.jobs.bad ({shop.root / shop.name / 'jobs.py'}:4): {field}"), problem
    assert expected in problem


def test_a_decorated_command_must_not_name_another(shop: Shop) -> None:
    shop.command("report", '@chroniker.job(command="noop", cron="0 3 * * *")')
    assert "management.commands.report.Command (" in only_problem()
    assert "command: the decorated class is the command “report”" in only_problem()


def test_duplicate_names_are_refused_with_both_places(shop: Shop) -> None:
    shop.command("report", '@chroniker.job(cron="0 3 * * *")\n@chroniker.job(cron="0 4 * * *")')
    assert "name: “report” is also declared in " in only_problem()
    assert only_problem().count("management.commands.report.Command (") == 2


def test_a_cycle_is_named(shop: Shop) -> None:
    shop.jobs(
        """
        def waits(name, other):
            return chroniker.job(name=name, command="noop", cron="0 3 * * *", after=[other])
        circle = [waits("a", "b"), waits("b", "c"), waits("c", "a")]
        """
    )
    assert "the dependencies form a cycle" in only_problem()
    assert "“b” → “c”" in only_problem() or "“c” → “a” → “b”" in only_problem()


def test_checks_before_a_tick_import_no_module(shop: Shop) -> None:
    shop.jobs("bad = chroniker.job(tick=1)")
    assert run_checks(tags=["chroniker"]) == []
    assert len(discover_declarations().located) == 1
