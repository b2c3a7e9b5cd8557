"""Commands of a crontab: ``manage.py``, prefixes such as ``flock``, and redirections."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from chroniker.importing.crontab.manage_line import parse_manage_py_line
from chroniker.importing.crontab.redirections import remove_log_redirections
from chroniker.importing.crontab.shell_words import can_run_without_shell
from chroniker.models import Job
from tests.integration.importing.crontabs import imported, printed

pytestmark = pytest.mark.django_db


@pytest.fixture
def manage_py(tmp_path: Path) -> Path:
    path = tmp_path / "shop" / "manage.py"
    path.parent.mkdir()
    path.touch()
    return path


@pytest.mark.parametrize(
    ("line", "args", "environment"),
    [
        ("cd {dir} && python manage.py noop >> /var/log/shop.log 2>&1", "", ""),
        ("cd '{dir}' && ./manage.py noop", "", ""),
        ("{dir}/manage.py noop --verbosity 2 > /dev/null", "--verbosity 2", ""),
        ("/venv/bin/python3.11 -u {dir}/manage.py noop 'two words'", "'two words'", ""),
        ("LEVEL=3 NAME='a b' python {dir}/manage.py noop --settings=tests.settings", "", "LEVEL=3\nNAME=a b"),
        ("DJANGO_SETTINGS_MODULE=tests.settings python {dir}/manage.py noop", "", ""),
    ],
)
def test_lines_that_run_manage_py_become_management_commands(
    line: str, args: str, environment: str, tmp_path: Path, manage_py: Path
) -> None:
    text = f"0 3 * * * {line.format(dir=manage_py.parent)}\n"
    job = imported(text, tmp_path, "--manage-py", str(manage_py))
    assert (job.command, job.args, job.raw_command) == ("noop", args, "")
    assert job.environment == environment
    assert job.name == f"noop {args}".strip()
    assert job.working_directory == (str(manage_py.parent) if line.startswith("cd") else "")


@pytest.mark.parametrize(
    "line",
    [
        "python /elsewhere/manage.py noop",
        "{dir}/manage.py noop | mail -s done ann",
        "{dir}/manage.py noop && {dir}/manage.py fails",
        "{dir}/manage.py noop --settings=other.settings",
        "{dir}/manage.py noop $(date)",
        "{dir}/manage.py",
        "flock -s /tmp/l {dir}/manage.py noop",
        "timeout soon {dir}/manage.py noop",
        "cd {dir} || exit; ./manage.py noop",
        ". /etc/profile && {dir}/manage.py noop",
        "bash -lxc '{dir}/manage.py noop'",
        "env -i {dir}/manage.py noop",
        "poetry install {dir}/manage.py noop",
        "python -m {dir}/manage.py noop",
        "{dir}/manage.py dumpdata > /srv/shop.json",
    ],
)
def test_other_lines_do_not_become_management_commands(line: str, manage_py: Path) -> None:
    assert parse_manage_py_line(line.format(dir=manage_py.parent), "/", {manage_py.resolve()}) is None


def test_redirected_output_is_reported(tmp_path: Path, manage_py: Path) -> None:
    report = printed(f"@daily {manage_py} noop >> /var/log/a.log 2>&1\n", tmp_path, "--manage-py", str(manage_py))
    assert "Its output went to /var/log/a.log; here it is kept with each run." in report


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("cd {dir}; python manage.py noop", ""),
        (". {dir}/.venv/bin/activate && python {dir}/manage.py noop", "/.venv”; here it runs in the environment"),
        ("cd {dir} && source .venv/bin/activate && python manage.py noop", "It ran in the environment “.venv”"),
        ("poetry run python {dir}/manage.py noop", "It ran in the environment “poetry”"),
        ("uv run --frozen {dir}/manage.py noop", "It ran in the environment “uv”"),
        ("nice -n 15 {dir}/manage.py noop", "the priority of “nice 15”"),
        ("nice {dir}/manage.py noop", "the priority of “nice 10”"),
        ("ionice -c3 nice -19 {dir}/manage.py noop", "another I/O priority"),
        ("python -W ignore {dir}/manage.py noop", "the option “-W ignore”"),
        ("python -u -X dev -Wignore {dir}/manage.py noop", "the option “-X dev”"),
        ("bash -lc 'cd {dir} && python manage.py noop'", "It ran in a login shell"),
        ("/bin/sh -c 'exit 0; {dir}/manage.py noop' x", None),
        ("nohup /usr/bin/env python {dir}/manage.py noop >/tmp/x.out 2>&1", "Its output went to /tmp/x.out"),
    ],
)
def test_known_prefixes_are_removed_and_reported(line: str, note: str | None, tmp_path: Path, manage_py: Path) -> None:
    text = f"0 3 * * * {line.format(dir=manage_py.parent)}\n"
    report = printed(text, tmp_path, "--manage-py", str(manage_py))
    job = Job.objects.get()
    if note is None:
        assert job.command == ""
        return
    assert (job.command, job.args, job.raw_command) == ("noop", "", "")
    assert note in report


def test_prefixes_that_set_limits_become_fields_of_the_job(tmp_path: Path, manage_py: Path) -> None:
    line = f"A=1 flock -n /run/shop.lock -c 'env B=\"two words\" timeout -k 5 2m {manage_py} noop --verbosity 0'"
    report = printed(f"0 3 * * * {line}\n", tmp_path, "--manage-py", str(manage_py))
    job = Job.objects.get()
    assert (job.command, job.args, job.timeout_seconds, job.overlap) == ("noop", "--verbosity 0", 120, "SKIP")
    assert job.environment == "A=1\nB=two words"
    assert "The lock /run/shop.lock (flock) became the overlap rule" in report
    assert "“timeout 2m” became the job's timeout." in report


def test_a_waiting_lock_becomes_the_overlap_rule_wait(tmp_path: Path, manage_py: Path) -> None:
    text = f"0 3 * * * flock -w 10 /run/l {manage_py} noop\n"
    assert imported(text, tmp_path, "--manage-py", str(manage_py)).overlap == "WAIT"


@pytest.mark.parametrize(
    ("command", "rest", "files"),
    [
        ("a >> /var/log/a.log 2>&1", "a", ("/var/log/a.log",)),
        ("a > /dev/null 2>&1", "a", ()),
        ("a &> out", "a", ("out",)),
        ("a 2>&1", "a", ()),
        ("a > /tmp/a.log 2> /tmp/a.err", "a", ("/tmp/a.log", "/tmp/a.err")),
        ("a > result.json", "a > result.json", ()),
        ("a > result.json 2>> errors.log", "a > result.json 2>> errors.log", ()),
        ("a 2> errors < /dev/null", "a", ("errors",)),
    ],
)
def test_redirections_to_logs_are_removed(command: str, rest: str, files: tuple[str, ...]) -> None:
    found = remove_log_redirections(command)
    assert (found.command, found.files) == (rest, files)


def test_a_raw_command_keeps_its_output_with_its_runs(tmp_path: Path) -> None:
    report = printed("@daily /bin/a b >> /var/log/a.log 2>&1\n", tmp_path)
    assert Job.objects.get().raw_command == "/bin/a b"
    assert "Its output went to /var/log/a.log; here it is kept with each run." in report


def test_a_raw_command_that_writes_a_file_is_reported(tmp_path: Path) -> None:
    report = printed("@daily pg_dump shop > /backup/shop.sql\n", tmp_path)
    assert shlex.split(Job.objects.get().raw_command)[-1] == "pg_dump shop > /backup/shop.sql"
    assert "It redirects output itself; that output is not kept with the runs." in report


@pytest.mark.parametrize(
    "command", ["echo 'a | b' \"two  words\"", "/bin/true", "tar -czf a.tar.gz --exclude='*~' b#c"]
)
def test_plain_words_run_without_a_shell(command: str) -> None:
    assert can_run_without_shell(command)
    shell = subprocess.run(["sh", "-c", f"printf '%s\\n' {command}"], capture_output=True, text=True, check=True)
    assert shell.stdout.splitlines() == shlex.split(command)


def test_raw_commands_are_refused_while_disabled(tmp_path: Path, manage_py: Path, settings: Any) -> None:
    settings.CHRONIKER_DISABLE_RAW_COMMAND = True
    report = printed(f"@daily /bin/a\n@daily {manage_py} noop\n", tmp_path, "--manage-py", str(manage_py))
    assert Job.objects.get().name == "noop"
    assert "not imported: Raw commands are disabled here" in report
