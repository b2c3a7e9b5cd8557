"""The source of a declaration that is written for a stored job gives the same job when it is loaded."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chroniker.declared import source_code
from chroniker.declared.loading import DECLARABLE_FIELDS, load_declared_jobs
from chroniker.models import Calendar, Group, Job
from tests.support.declared_app import Shop
from tests.support.factories import a_job

pytestmark = pytest.mark.django_db

BERLIN = ZoneInfo("Europe/Berlin")
CASES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "texts": {"args": "--name \"it's\" 'two words' \\n", "environment": "A=1\nB=“ä” \"x\"\nC='y'", "enabled": False},
    "schedule": {
        "cron": "", "frequency": "HOURLY", "params": "interval:2", "timezone": "Europe/Berlin",
        "starts_at": dt.datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
        "ends_at": dt.datetime(2027, 1, 1, 0, 0, 1, 5, tzinfo=dt.UTC), "dst_gap": "SKIP", "jitter_seconds": 30,
    },
    "rules": {
        "overlap": "SKIP", "timeout_seconds": 900, "max_retries": 2, "misfire_grace_seconds": 60,
        "log_max_bytes": None, "priority": 5, "queue": "heavy", "secrets": "KEY=setting:PAYMENT_KEY",
        "is_monitor": True, "monitor_description": "Look at it.", "email_success_to_subscribers": True,
    },
    "raw": {"command": "", "raw_command": "/bin/echo 'a  b' \\\\"},
}  # fmt: skip


def values(job: Job) -> dict[str, Any]:
    return {
        name: getattr(job, name)
        for name in DECLARABLE_FIELDS - {"after", "triggered_by", "channels", "tags", "group", "calendar"}
    }


@pytest.mark.parametrize("fields", CASES.values(), ids=CASES)
def test_a_module_declares_the_same_fields(shop: Shop, fields: dict[str, Any]) -> None:
    job = a_job(name="n “1” \"2\" '3'", **fields)
    job.refresh_from_db()
    shop.write("jobs.py", source_code.module_source(job))
    [loaded], problems = load_declared_jobs()
    assert problems == []
    assert values(loaded.job) == values(job)


def test_a_decorator_declares_the_same_fields(shop: Shop) -> None:
    shop.command("report_sales", "")
    job = a_job(name="report", command="report_sales", **CASES["schedule"])
    job.refresh_from_db()
    source = source_code.decorator_source(job)
    shop.write("management/commands/report_sales.py", source.replace("(BaseCommand): ...", "(BaseCommand):\n    x = 1"))
    [loaded], problems = load_declared_jobs()
    assert problems == []
    assert values(loaded.job) == values(job)


def test_a_raw_command_has_no_decorator() -> None:
    assert source_code.decorator_source(a_job(command="", raw_command="/bin/true")) == ""


def test_group_calendar_and_dependencies_are_declared_by_name(shop: Shop) -> None:
    group, calendar = Group.objects.create(name="nightly"), Calendar.objects.create(name="holidays")
    job = a_job(group=group, calendar=calendar)
    shop.write("jobs.py", source_code.module_source(job, ["load", "clean"]))
    [loaded], problems = load_declared_jobs()
    assert problems == []
    assert dict(loaded.related_row_names) == {"group": "nightly", "calendar": "holidays"}
    assert loaded.after == ("load", "clean")


def test_a_module_of_several_jobs_declares_all_of_them(shop: Shop) -> None:
    jobs = [a_job(name=f"job {name}", **fields) for name, fields in CASES.items()]
    shop.write("jobs.py", source_code.module_source_of_jobs((job, ["job raw"] * (job == jobs[0]), {}) for job in jobs))
    loaded, problems = load_declared_jobs()
    assert problems == []
    assert sorted(each.name for each in loaded) == sorted(job.name for job in jobs)
    assert next(each.after for each in loaded if each.name == jobs[0].name) == ("job raw",)


def test_texts_cannot_leave_their_literals() -> None:
    job = a_job(name='x", evil=1) #\nimport os')
    namespace: dict[str, Any] = {}
    exec(source_code.module_source(job), namespace)  # what the page offers is executed by whoever copies it
    assert namespace["declared"].fields["name"] == job.name
    assert "os" not in namespace


def test_triggers_are_written_and_read(shop: Shop) -> None:
    job = a_job(name="report", frequency="MANUAL", cron="")
    source = source_code.module_source(job, triggered_by={"load": "SUCCEEDED", 'a "b"': "ENDED"})
    shop.write("jobs.py", source)
    [loaded], problems = load_declared_jobs()
    assert problems == []
    assert loaded.triggered_by == {"load": "SUCCEEDED", 'a "b"': "ENDED"}
