"""Ten megabytes instead of one line: refused at once, quoted in part, and nothing is stored partly."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client, override_settings
from django.urls import reverse

from chroniker import schedule
from chroniker.clock.database_clock import database_now
from chroniker.exceptions import ScheduleError
from chroniker.importing import dump_files
from chroniker.models import Job, JobState, Run, Status
from chroniker.schedule import ScheduleSpec
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.support import admin_pages
from tests.support.command_jobs import INLINE, the_run
from tests.support.factories import a_booked_job, a_job

pytestmark = pytest.mark.django_db(transaction=True)

HUGE = 10_000_000
ORDINARY = {
    "name": "ordinary",
    "command": "noop",
    "frequency": "DAILY",
    "enabled": True,
    "next_run": "2035-01-01T00:00:00Z",
}
#: A text for each format that would need much time or memory if it were parsed.
FIELDS = {
    "name": "n" * HUGE,
    "command": "c" * HUGE,
    "args": "x " * (HUGE // 2),
    "raw_command": "x " * (HUGE // 2),
    "environment": "A=1\n" * (HUGE // 4),
    "secrets": "A=env:B\n" * (HUGE // 8),
    "working_directory": "/" * HUGE,
    "cron": "1," * (HUGE // 2),
    "params": "byhour:1;" * (HUGE // 9),
    "timezone": "Europe/" * (HUGE // 7),
    "hostname": "*" * HUGE,
    "executor": "e" * HUGE,
    "queue": "q" * HUGE,
    "monitor_url": "{{" * (HUGE // 2),
    "monitor_error_template": "{{" * (HUGE // 2),
}


def with_huge(field: str) -> dict[str, Any]:
    fields = {"name": "huge", "command": "noop", "cron": "* * * * *", field: FIELDS[field]}
    if field == "raw_command":
        fields["command"] = ""
    if field == "params":
        fields["frequency"] = "HOURLY"
    return fields


@pytest.mark.parametrize("field", FIELDS)
def test_a_form_refuses_it_and_quotes_a_part(field: str, admin: Client) -> None:
    sent = {**admin_pages.open_form(admin), **with_huge(field)}
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=None):
        page = admin.post(reverse("admin:chroniker_job_add"), sent)
    assert sum(map(len, admin_pages.errors(page)[field])) < 1000
    assert not Job.objects.exists()


def test_django_refuses_a_post_of_that_size_anyway(admin: Client) -> None:
    sent = {**admin_pages.open_form(admin), **with_huge("args")}
    assert admin.post(reverse("admin:chroniker_job_add"), sent).status_code == 400
    assert not Job.objects.exists()


@pytest.mark.parametrize("field", ["name", "command", "args", "raw_command", "cron"])
def test_an_import_refuses_or_disables_it(field: str, tmp_path: Path) -> None:
    path = tmp_path / "dump.json"
    fields = {"frequency": "DAILY", "enabled": True, **with_huge(field)}
    objects = [{"model": "chroniker.job", "pk": 1, "fields": fields}, _ordinary(2)]
    path.write_text(json.dumps(objects))
    out = io.StringIO()
    call_command("import_chroniker", str(path), stdout=out)
    assert Job.objects.filter(name="ordinary", enabled=True).exists()
    assert not Job.objects.exclude(name="ordinary").filter(enabled=True).exists()


def _ordinary(pk: int) -> dict[str, Any]:
    return {"model": "chroniker.job", "pk": pk, "fields": ORDINARY}


@pytest.mark.parametrize("field", ["args", "raw_command", "environment", "secrets"])
def test_a_row_that_bypassed_the_form_fails_its_run(field: str) -> None:
    job = a_booked_job()
    fields = {name: value for name, value in with_huge(field).items() if name not in ("name", "cron")}
    Job.objects.filter(pk=job.pk).update(**fields)
    with override_settings(CHRONIKER_EXECUTORS=INLINE):
        run_now(Job.objects.get(), "a test")
    run = the_run(job)
    assert run.status == Status.FAILED and len(run.reason) < 1000


@pytest.mark.parametrize("field", ["cron", "params"])
def test_a_schedule_that_bypassed_the_form_is_refused_or_is_a_schedule_error(field: str, dummy: Any) -> None:
    job, other = a_booked_job(), a_booked_job(cron="0 0 1 1 *")
    fields = {name: value for name, value in with_huge(field).items() if name not in ("name", "command")}
    try:
        with transaction.atomic():
            Job.objects.filter(pk=job.pk).update(**{"cron": "", **fields} if field == "params" else fields)
    except DatabaseError:
        assert field == "cron" and connection.vendor != "sqlite"
    tick()
    stored = Job.objects.get(pk=job.pk)
    state = JobState.objects.get(pk=job.pk)
    assert (
        bool(state.schedule_error) == (len(getattr(stored, field)) == len(FIELDS[field]))
        and len(state.schedule_error) < 1000
    )
    assert JobState.objects.get(pk=other.pk).schedule_error == ""


@pytest.mark.parametrize(
    "content",
    [
        "[" * 1_000_000,
        '{"a":' * 1_000_000,
        '[{"model": "chroniker.job", "fields": ' + "[" * 1_000_000,
        "\0" * 100,
        "[1]",
    ],
    ids=["arrays", "objects", "fields", "zeros", "a number"],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_file_that_is_no_dump_is_refused(content: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"dump.json{suffix}"
    path.write_bytes(gzip.compress(content.encode()) if suffix else content.encode())
    with pytest.raises(CommandError, match=r"is not JSON|is not a file of dumpdata"):
        call_command("import_chroniker", str(path), stdout=io.StringIO())
    assert not Job.objects.exists()


def test_a_file_that_is_larger_than_it_looks_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dump_files, "MAX_DUMP_CHARACTERS", 2**22)
    path = tmp_path / "dump.json.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b" " * (dump_files.MAX_DUMP_CHARACTERS + 1))
    with pytest.raises(CommandError, match="has more than"):
        call_command("import_chroniker", str(path), stdout=io.StringIO())


@pytest.mark.parametrize("name", ["/etc/shadow/../passwd", "/dev/null", "/proc/self/mem", "/nonexistent", "."])
def test_a_file_of_another_kind_is_refused_without_its_content(name: str) -> None:
    with pytest.raises(CommandError) as refusal:
        call_command("import_chroniker", name, stdout=io.StringIO())
    assert "root" not in str(refusal.value).replace(name, "")
    assert not Job.objects.exists()


#: Rules without a time or with very few; a search second by second would take hours.
RULES = [
    ("SECONDLY", "bymonth:2;bymonthday:30"),
    ("SECONDLY", "interval:7;byyearday:366;byweekday:mo;byweekno:53;bysetpos:3"),
    ("SECONDLY", "interval:999983;bymonth:2;bymonthday:29;byhour:3;byminute:7;bysecond:1"),
    ("SECONDLY", "count:10000;bymonth:2;bymonthday:29;byhour:3;byminute:7;bysecond:1"),
    ("MINUTELY", "interval:60;byminute:7"),
    ("HOURLY", "interval:24;byhour:5"),
    ("DAILY", "bysetpos:-366;byhour:1"),
    ("YEARLY", "byeaster:366;byweekday:mo;bymonthday:31;bymonth:2"),
    ("YEARLY", "byeaster:-366"),
    ("YEARLY", "count:10000;bymonth:2;bymonthday:29"),
]


@pytest.mark.parametrize(("frequency", "params"), RULES)
def test_the_search_of_an_endless_rule_ends(frequency: str, params: str) -> None:
    """The test passes if the search ends; a search step by step would take years."""
    now = database_now()
    spec = ScheduleSpec(
        frequency=frequency, params=params, timezone="Europe/Paris", starts_at=now.replace(year=1990, day=1)
    )
    try:
        schedule.validate_schedule(spec)
    except ScheduleError as error:
        assert len(str(error)) < 1000
    else:
        assert schedule.next_instants(spec, now, 10)
        assert schedule.latest_instant_until(spec, now)


def test_a_command_name_of_ten_megabytes_is_refused_everywhere(dummy: Any) -> None:
    with pytest.raises(ValidationError):
        Job(**with_huge("name")).full_clean()
    job = a_job()
    with pytest.raises(CommandError) as refusal:
        call_command("run_job", "n" * HUGE, stdout=io.StringIO())
    assert len(str(refusal.value)) < 1000
    assert not Run.objects.exists() and Job.objects.get() == job
