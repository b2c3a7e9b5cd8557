from __future__ import annotations

import io
import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chroniker.importing.crontab.crontab_parser import entries
from chroniker.importing.crontab.manage_line import as_manage_line, is_plain
from chroniker.models import Job
from tests.support.factories import a_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def manage_py(tmp_path: Path) -> Path:
    path = tmp_path / "shop" / "manage.py"
    path.parent.mkdir()
    path.touch()
    return path


def printed(text: str, tmp_path: Path, *words: str, zone: str = "UTC") -> str:
    path = tmp_path / "crontab"
    path.write_text(text)
    out = io.StringIO()
    call_command("import_crontab", str(path), "--timezone", zone, *words, stdout=out)
    return out.getvalue()


def imported(text: str, tmp_path: Path, *words: str) -> Job:
    printed(text, tmp_path, *words)
    return Job.objects.get()


def test_a_line_becomes_a_raw_command_without_a_shell(tmp_path: Path) -> None:
    job = imported("30 3 * * 1-5  /usr/bin/backup --to '/var/my backups'\n", tmp_path)
    assert (job.cron, job.raw_command) == ("30 3 * * 1-5", "/usr/bin/backup --to '/var/my backups'")
    assert job.name == "/usr/bin/backup --to '/var/my backups'"
    assert (job.command, job.enabled, job.fail_on_stderr) == ("", True, False)
    assert job.working_directory == str(Path.home())


@pytest.mark.parametrize(
    "command",
    [
        "pg_dump shop | gzip > /backup/shop.gz",
        "test -x /usr/sbin/anacron || run-parts /etc/cron.daily",
        "cd /srv && ./backup",
        "echo $HOME",
        'echo "$(date)"',
        "rm /tmp/*.old",
        "A=1 env",
        "echo it's",
        "ls ~/files",
        "cat < /etc/hostname",
        ". ./settings.sh",
    ],
)
def test_shell_syntax_runs_in_a_shell(command: str, tmp_path: Path) -> None:
    text = printed(f"0 3 * * * {command}\n", tmp_path)
    assert shlex.split(Job.objects.get().raw_command) == ["sh", "-c", command]
    assert "It takes a shell" in text


@pytest.mark.parametrize(
    "command", ["echo 'a | b' \"two  words\"", "/bin/true", "tar -czf a.tar.gz --exclude='*~' b#c"]
)
def test_plain_words_run_without_a_shell(command: str) -> None:
    assert is_plain(command)
    shell = subprocess.run(["sh", "-c", f"printf '%s\\n' {command}"], capture_output=True, text=True, check=True)
    assert shell.stdout.splitlines() == shlex.split(command)


def test_the_shell_of_the_crontab_is_used(tmp_path: Path) -> None:
    job = imported("SHELL=/bin/bash\n@daily [[ -f x ]] && echo yes\n", tmp_path)
    assert shlex.split(job.raw_command)[:2] == ["/bin/bash", "-c"]


def test_text_after_a_percent_sign_is_standard_input(tmp_path: Path) -> None:
    job = imported(r"0 3 * * * cat - /dev/null%first line%it's 100\% it" + "\n", tmp_path)
    done = subprocess.run(shlex.split(job.raw_command), capture_output=True, text=True, check=True)
    assert done.stdout == "first line\nit's 100% it\n"


def test_variables_are_imported_except_cron_s_own(tmp_path: Path) -> None:
    text = """
# the environment
PATH=/opt/bin:/usr/bin
GREETING = "two words"
MAILTO=ops@example.org
5 4 * * * /bin/a
GREETING=other
"""
    told = printed(text, tmp_path)
    assert Job.objects.get().environment == "PATH=/opt/bin:/usr/bin\nGREETING=two words"
    assert "Cron mailed to ops@example.org" in told


def test_cron_tz_applies_to_the_lines_below(tmp_path: Path) -> None:
    text = "1 1 * * * /bin/a\nCRON_TZ=America/New_York\n2 1 * * * /bin/b\n"
    told = printed(text, tmp_path, zone="Europe/Paris")
    zones = dict(Job.objects.values_list("name", "timezone"))
    assert zones == {"/bin/a": "Europe/Paris", "/bin/b": "America/New_York"}
    assert "differs" not in told


@pytest.mark.parametrize(
    ("given", "cron"),
    [("@daily", "@daily"), ("@every_minute", "* * * * *"), ("*/5 0-6 1 jan,jul mon", "*/5 0-6 1 jan,jul mon")],
)
def test_schedules_keep_their_instants(given: str, cron: str, tmp_path: Path) -> None:
    told = printed(f"{given} /bin/a\n", tmp_path)
    assert Job.objects.get().cron == cron
    assert told.count("+00:00  2") == 10
    assert "differs" not in told


def test_reboot_lines_are_refused(tmp_path: Path) -> None:
    told = printed("@reboot /bin/a\n@hourly /bin/b\n", tmp_path)
    assert "not imported: A schedule has no reboot." in told
    assert Job.objects.get().name == "/bin/b"


def test_lines_with_an_invalid_schedule_are_imported_disabled(tmp_path: Path) -> None:
    told = printed("0~30 4 * * * /bin/a\n", tmp_path)
    assert not Job.objects.get().enabled
    assert "It is switched off here until this is mended" in told


def test_invalid_lines_are_named(tmp_path: Path) -> None:
    assert "Line 2 is no line of a crontab" in printed("\n0 3 * *\n", tmp_path)


def test_system_lines_name_a_user(tmp_path: Path) -> None:
    told = printed("17 * * * * nosuchuser  /bin/a b\n@weekly nosuchuser /bin/c\n", tmp_path, "--system")
    assert set(Job.objects.values_list("raw_command", "working_directory")) == {("/bin/a b", ""), ("/bin/c", "")}
    assert "It ran as nosuchuser there" in told


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
        "flock -n /tmp/l {dir}/manage.py noop",
    ],
)
def test_other_lines_do_not_become_management_commands(line: str, manage_py: Path) -> None:
    assert as_manage_line(line.format(dir=manage_py.parent), "/", {manage_py.resolve()}) is None


def test_redirected_output_is_reported(tmp_path: Path, manage_py: Path) -> None:
    told = printed(f"@daily {manage_py} noop >> /var/log/a.log 2>&1\n", tmp_path, "--manage-py", str(manage_py))
    assert "Its output went to /var/log/a.log; here it is kept with each run." in told


def test_raw_commands_are_refused_while_disabled(tmp_path: Path, manage_py: Path, settings: Any) -> None:
    settings.CHRONIKER_DISABLE_RAW_COMMAND = True
    told = printed(f"@daily /bin/a\n@daily {manage_py} noop\n", tmp_path, "--manage-py", str(manage_py))
    assert Job.objects.get().name == "noop"
    assert "not imported: Raw commands are switched off here" in told


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    text = "@daily /bin/a\n@daily /bin/a\n@weekly /bin/a\n"
    assert "Now take these lines out of the crontab" in printed(text, tmp_path)
    assert set(Job.objects.values_list("name", flat=True)) == {"/bin/a", "/bin/a (2)", "/bin/a (3)"}
    Job.objects.filter(name="/bin/a").update(name="renamed")
    before = list(Job.objects.order_by("pk").values())
    told = printed(text, tmp_path)
    assert list(Job.objects.order_by("pk").values()) == before
    assert "3 imported before, left as it is" in told
    assert "Now take these lines" not in told


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    assert "1 would be imported" in printed("@daily /bin/a\n", tmp_path, "--dry-run")
    assert not Job.objects.exists()


def test_an_existing_name_is_refused(tmp_path: Path) -> None:
    a_job(name="/bin/a")
    assert "There is a job of this name here that does not come from there" in printed("@daily /bin/a\n", tmp_path)


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("@daily /bin/a\n"))
    out = io.StringIO()
    call_command("import_crontab", "-", "--json", stdout=out)
    assert json.loads(out.getvalue())[0]["outcome"] == "imported"


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_crontab", "/nowhere/crontab")


def test_comments_and_blank_lines_are_no_entries() -> None:
    assert list(entries("# a\n\n   # b\nX=1\n", system=False)) == []
