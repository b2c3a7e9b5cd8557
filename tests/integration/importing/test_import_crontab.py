"""Lines of a crontab become jobs."""

from __future__ import annotations

import datetime as dt
import io
import json
import shlex
import subprocess
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command

from chroniker.importing.crontab.cron_simulation import compute_cron_instants
from chroniker.importing.crontab.crontab_parser import parse_entries
from chroniker.models import Job
from chroniker.schedule import next_instants
from tests.integration.importing.crontabs import imported, printed
from tests.support.factories import a_job
from tests.unit.schedule.samples import CHANGES, a_fixed_expression_near_midnight, an_expression, cron

pytestmark = pytest.mark.django_db


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
    assert "not imported: A schedule cannot start a job at reboot." in report
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


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    text = "@daily /bin/a\n@daily /bin/a\n@weekly /bin/a\n"
    assert "Now remove the lines of the imported jobs from the crontab" in printed(text, tmp_path)
    assert set(Job.objects.values_list("name", flat=True)) == {"/bin/a", "/bin/a (2)", "/bin/a (3)"}
    Job.objects.filter(name="/bin/a").update(name="renamed")
    before = list(Job.objects.order_by("pk").values())
    report = printed(text, tmp_path)
    assert list(Job.objects.order_by("pk").values()) == before
    assert "3 imported before, unchanged" in report
    assert "Now remove the lines" not in report


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
    assert list(parse_entries("# a\n\n   # b\nX=1\n", system=False)) == []


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
    found = compute_cron_instants(expression, ZoneInfo(zone), start, 2)
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
        assert compute_cron_instants(expression, ZoneInfo(zone), start, 4) == next_instants(
            cron(expression, zone), start, 4
        ), expression


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
