from __future__ import annotations

import datetime as dt
import io
import json
import shlex
import subprocess
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command

from chroniker.importing.crontab.cron_simulation import cron_instants
from chroniker.importing.crontab.crontab_parser import entries
from chroniker.importing.crontab.manage_line import as_manage_line
from chroniker.importing.crontab.redirections import without_log_redirections
from chroniker.importing.crontab.shell_words import is_plain
from chroniker.models import Job
from chroniker.schedule import preview
from tests.support.factories import a_job
from tests.unit.schedule.samples import CHANGES, a_fixed_expression_near_midnight, an_expression, cron

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
    assert "It needs a shell" in text


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
    report = printed(text, tmp_path)
    assert Job.objects.get().environment == "PATH=/opt/bin:/usr/bin\nGREETING=two words"
    assert "Cron sent the output by mail to ops@example.org" in report


def test_cron_tz_applies_to_the_lines_below(tmp_path: Path) -> None:
    text = "1 1 * * * /bin/a\nCRON_TZ=America/New_York\n2 1 * * * /bin/b\n"
    report = printed(text, tmp_path, "--cron", "cronie", zone="Europe/Paris")
    zones = dict(Job.objects.values_list("name", "timezone"))
    assert zones == {"/bin/a": "Europe/Paris", "/bin/b": "America/New_York"}
    assert "differs" not in report


@pytest.mark.parametrize(
    ("given", "cron"),
    [("@daily", "@daily"), ("@every_minute", "* * * * *"), ("*/5 0-6 1 jan,jul mon", "*/5 0-6 1 jan,jul mon")],
)
def test_schedules_keep_their_instants(given: str, cron: str, tmp_path: Path) -> None:
    report = printed(f"{given} /bin/a\n", tmp_path)
    assert Job.objects.get().cron == cron
    assert report.count("+00:00  2") == 10
    assert "differs" not in report


def test_reboot_lines_are_refused(tmp_path: Path) -> None:
    report = printed("@reboot /bin/a\n@hourly /bin/b\n", tmp_path)
    assert "not imported: A schedule cannot run at reboot." in report
    assert Job.objects.get().name == "/bin/b"


def test_lines_with_an_invalid_schedule_are_imported_disabled(tmp_path: Path) -> None:
    report = printed("0~30 4 * * * /bin/a\n", tmp_path)
    assert not Job.objects.get().enabled
    assert "It is disabled here until this is fixed" in report


def test_invalid_lines_are_named(tmp_path: Path) -> None:
    assert "Line 2 is not a valid crontab line" in printed("\n0 3 * *\n", tmp_path)


def test_system_lines_name_a_user(tmp_path: Path) -> None:
    report = printed("17 * * * * nosuchuser  /bin/a b\n@weekly nosuchuser /bin/c\n", tmp_path, "--system")
    assert set(Job.objects.values_list("raw_command", "working_directory")) == {("/bin/a b", ""), ("/bin/c", "")}
    assert "It ran as nosuchuser;" in report


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
    assert as_manage_line(line.format(dir=manage_py.parent), "/", {manage_py.resolve()}) is None


def test_redirected_output_is_reported(tmp_path: Path, manage_py: Path) -> None:
    report = printed(f"@daily {manage_py} noop >> /var/log/a.log 2>&1\n", tmp_path, "--manage-py", str(manage_py))
    assert "Its output went to /var/log/a.log; here it is kept with each run." in report


def test_raw_commands_are_refused_while_disabled(tmp_path: Path, manage_py: Path, settings: Any) -> None:
    settings.CHRONIKER_DISABLE_RAW_COMMAND = True
    report = printed(f"@daily /bin/a\n@daily {manage_py} noop\n", tmp_path, "--manage-py", str(manage_py))
    assert Job.objects.get().name == "noop"
    assert "not imported: Raw commands are disabled here" in report


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    text = "@daily /bin/a\n@daily /bin/a\n@weekly /bin/a\n"
    assert "Now remove these lines from the crontab" in printed(text, tmp_path)
    assert set(Job.objects.values_list("name", flat=True)) == {"/bin/a", "/bin/a (2)", "/bin/a (3)"}
    Job.objects.filter(name="/bin/a").update(name="renamed")
    before = list(Job.objects.order_by("pk").values())
    report = printed(text, tmp_path)
    assert list(Job.objects.order_by("pk").values()) == before
    assert "3 imported before, unchanged" in report
    assert "Now remove these lines" not in report


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    assert "1 would be imported" in printed("@daily /bin/a\n", tmp_path, "--dry-run")
    assert not Job.objects.exists()


def test_an_existing_name_is_refused(tmp_path: Path) -> None:
    a_job(name="/bin/a")
    assert "Another job already has this name" in printed("@daily /bin/a\n", tmp_path)


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("@daily /bin/a\n"))
    out = io.StringIO()
    call_command("import_crontab", "-", "--json", stdout=out)
    assert json.loads(out.getvalue())[0]["outcome"] == "imported"


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_crontab", "/nowhere/crontab")


def test_comments_and_blank_lines_are_ignored() -> None:
    assert list(entries("# a\n\n   # b\nX=1\n", system=False)) == []


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
    found = without_log_redirections(command)
    assert (found.command, found.files) == (rest, files)


def test_a_raw_command_keeps_its_output_with_its_runs(tmp_path: Path) -> None:
    report = printed("@daily /bin/a b >> /var/log/a.log 2>&1\n", tmp_path)
    assert Job.objects.get().raw_command == "/bin/a b"
    assert "Its output went to /var/log/a.log; here it is kept with each run." in report


def test_a_raw_command_that_writes_a_file_is_reported(tmp_path: Path) -> None:
    report = printed("@daily pg_dump shop > /backup/shop.sql\n", tmp_path)
    assert shlex.split(Job.objects.get().raw_command)[-1] == "pg_dump shop > /backup/shop.sql"
    assert "It redirects output itself; that output is not kept with the runs." in report


def test_cron_tz_needs_the_kind_of_cron(tmp_path: Path) -> None:
    text = "1 1 * * * /bin/a\nCRON_TZ=America/New_York\n2 1 * * * /bin/b\n"
    report = printed(text, tmp_path)
    assert "not imported: CRON_TZ: cronie uses it, Debian's cron ignores it." in report
    assert Job.objects.get().name == "/bin/a"
    report = printed(text, tmp_path, "--cron", "debian")
    assert "Debian's cron ignores CRON_TZ=America/New_York" in report
    assert set(Job.objects.values_list("timezone", flat=True)) == {"UTC"}
    assert "differs" not in report


@pytest.mark.parametrize(
    ("expression", "zone", "now", "expected"),
    [
        ("0 0 1-7 * */7", "UTC", "2026-01-01", ["2026-01-04 00:00", "2026-02-01 00:00"]),  # both, because of the star
        ("0 0 */2 * 1", "UTC", "2026-01-01", ["2026-01-05 00:00", "2026-01-19 00:00"]),
        ("0 0 13 * 5", "UTC", "2026-02-10", ["2026-02-13 00:00", "2026-02-20 00:00"]),
        ("0 0 31 2 1", "UTC", "2026-02-01", ["2026-02-02 00:00", "2026-02-09 00:00"]),
        ("0 0 29 2 *", "UTC", "2026-02-01", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("30 2 * * *", "Europe/Paris", "2026-03-28 12:00", ["2026-03-29 01:00", "2026-03-30 00:30"]),
        ("30 2 * * *", "Europe/Paris", "2026-10-24 12:00", ["2026-10-25 00:30", "2026-10-26 01:30"]),
        ("0 */2 * * *", "Europe/Paris", "2026-03-28 23:30", ["2026-03-29 02:00", "2026-03-29 04:00"]),
        ("30 * * * *", "Europe/Paris", "2026-10-24 23:45", ["2026-10-25 00:30", "2026-10-25 01:30"]),
        ("0 5 * * *", "Pacific/Apia", "2011-12-29 12:00", ["2011-12-29 15:00", "2011-12-30 15:00"]),
        ("0 0 31 2 *", "UTC", "2026-01-01", []),
        ("0 0 L * *", "UTC", "2026-01-01", []),
        ("59/15 * * * *", "UTC", "2026-01-01", []),
    ],
)
def test_the_column_there_shows_what_cron_does(expression: str, zone: str, now: str, expected: list[str]) -> None:
    start = dt.datetime.fromisoformat(now).replace(tzinfo=dt.UTC)
    found = cron_instants(expression, ZoneInfo(zone), start, 2)
    assert [f"{moment:%Y-%m-%d %H:%M}" for moment in found] == expected


@pytest.mark.parametrize("seed", range(3))
def test_the_simulation_of_cron_agrees_with_schedules(seed: int) -> None:
    random = Random(seed)
    for _number in range(25):
        zone, moment = random.choice([each for each in CHANGES if each[0] != "Pacific/Apia"])
        expression = random.choice((a_fixed_expression_near_midnight, an_expression))(random)
        if "#" in expression or "L" in expression:
            continue
        start = moment.replace(tzinfo=dt.UTC)
        assert cron_instants(expression, ZoneInfo(zone), start, 4) == preview(cron(expression, zone), start, 4), (
            expression
        )


def test_a_comment_above_a_line_becomes_the_name(tmp_path: Path) -> None:
    text = """# Edit this file to introduce tasks.
#
# m h  dom mon dow   command
0 1 * * * /bin/first

# Nightly backup
# of the shop
0 2 * * * /bin/second
# 0 4 * * * /bin/old
0 3 * * * /bin/third
# about a variable
A=1
0 4 * * * /bin/fourth
"""
    printed(text, tmp_path)
    names = dict(Job.objects.values_list("raw_command", "name"))
    assert names == {
        "/bin/first": "/bin/first",
        "/bin/second": "Nightly backup of the shop",
        "/bin/third": "/bin/third",
        "/bin/fourth": "/bin/fourth",
    }


def test_an_import_knows_lines_again_when_their_comment_changed(tmp_path: Path) -> None:
    printed("# a\n@daily /bin/a\n", tmp_path)
    assert "1 imported before, unchanged" in printed("# b\n@daily /bin/a\n", tmp_path)
