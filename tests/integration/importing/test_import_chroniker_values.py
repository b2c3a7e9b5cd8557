"""What values of django-chroniker become, and which files are read."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import lzma
import shlex
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from chroniker.importing.candidate import ImportOutcome
from chroniker.models import Job, JobDependency, Run
from chroniker.schedule import next_instants
from chroniker.scheduler import tick
from tests.integration.importing.chroniker_imports import a_dump, imported, printed
from tests.integration.importing.upgrading import dump, users

pytestmark = pytest.mark.django_db

#: After the logs in the fixtures, before the first scheduled time of their jobs.
NOW = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)


def test_an_overdue_job_runs_once(tmp_path: Path) -> None:
    path = a_dump(tmp_path, {"name": "late", "frequency": "HOURLY", "next_run": "2026-11-20T00:30:00Z"})
    imported(path)
    done = tick.tick()
    assert [run.job.name for run in done.claimed] == ["late"]
    assert done.claimed[0].scheduled_for == dt.datetime(2026, 11, 20, 0, 30, tzinfo=dt.UTC)


def test_no_catch_up_waits_for_the_next_instant(tmp_path: Path) -> None:
    path = a_dump(tmp_path, {"name": "late", "frequency": "HOURLY", "next_run": "2026-11-20T00:30:00Z"})
    imported(path, catch_up=False)
    assert tick.tick().claimed == []


@pytest.mark.parametrize(
    ("next_run", "is_left_out"), [("2026-12-03T09:00:00.5Z", True), ("2026-12-07T09:00:00.5Z", False)]
)
def test_a_next_run_outside_the_rule_is_reported(tmp_path: Path, next_run: str, is_left_out: bool) -> None:
    job = {"name": "on Mondays", "frequency": "WEEKLY", "params": "byweekday:MO", "next_run": next_run}
    (candidate,) = imported(a_dump(tmp_path, job)).values()
    assert any("does not match its rule" in note for note in candidate.differences) is is_left_out


def test_dumps_without_use_tz_use_local_time(tmp_path: Path, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Paris"
    path = a_dump(tmp_path, {"name": "at nine", "params": "byhour:9", "next_run": "2026-12-01T09:00:00"})
    (candidate,) = imported(path).values()
    assert candidate.job.timezone == "Europe/Paris"
    nine = dt.datetime(2026, 12, 1, 8, tzinfo=dt.UTC)
    assert next_instants(candidate.job.spec, NOW, 1) == [nine]
    assert candidate.instants_there[0] == nine


def test_dumps_with_use_tz_use_utc_by_default(tmp_path: Path, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Paris"
    job = {"name": "at nine", "params": "byhour:9", "next_run": "2026-12-01T09:00:00Z"}
    (candidate,) = imported(a_dump(tmp_path, job)).values()
    assert candidate.job.timezone == "UTC"
    assert "Its time zone is UTC, as there" in " ".join(candidate.differences)
    Job.objects.all().delete()
    (candidate,) = imported(a_dump(tmp_path, job), zone="Europe/Paris").values()
    assert next_instants(candidate.job.spec, NOW, 1) == [dt.datetime(2026, 12, 2, 8, tzinfo=dt.UTC)]


def test_arguments_are_split_as_each_version_split_them(tmp_path: Path) -> None:
    words = {"command": "dumpdata", "args": "app 'two words' all=True verbosity=0"}
    old, new = imported(a_dump(tmp_path, {"name": "a", **words}, {"name": "b", **words, "jitter_seconds": 0})).values()
    assert shlex.split(old.job.args) == ["app", "'two", "words'", "--all", "--verbosity=0"]
    assert shlex.split(new.job.args) == ["app", "two words", "--all", "--verbosity=0"]


def test_raw_commands_are_imported_disabled_while_refused(settings: Any) -> None:
    settings.CHRONIKER_DISABLE_RAW_COMMAND = True
    text = printed(str(dump("1.1.0")))
    assert "Raw commands are disabled here" in text
    assert not Job.objects.get(name="a raw one").enabled


def test_with_the_option_disabled_all_jobs_are_imported_disabled() -> None:
    printed(str(dump("1.1.0")), "--disabled")
    assert not Job.objects.filter(enabled=True).exists()


def test_the_report_can_be_json() -> None:
    found = json.loads(printed(str(dump("1.0.24")), "--json", "--dry-run"))
    (report,) = (each for each in found if each["name"] == "nightly report")
    assert report["outcome"] == "would be imported"
    assert report["schedule_there"].startswith("DAILY byhour:3")


@pytest.mark.parametrize(("suffix", "opener"), [(".gz", gzip.open), (".xz", lzma.open)])
def test_a_compressed_dump_is_read(tmp_path: Path, suffix: str, opener: Any) -> None:
    path = tmp_path / f"dump.json{suffix}"
    with opener(path, "wb") as file:
        file.write(dump("1.1.0").read_bytes())
    assert len(imported(path)) == 16


def test_a_dump_with_natural_keys_is_read(tmp_path: Path) -> None:
    users()
    objects = json.loads(dump("1.1.0").read_text())
    names = {each["pk"]: each["fields"]["name"] for each in objects if each["model"] == "chroniker.job"}
    for each in objects:
        if each["model"] == "chroniker.job":
            del each["pk"]
            each["fields"]["subscribers"] = [["ann"]] if each["fields"]["subscribers"] else []
        for name in {"job", "dependent", "dependee"} & each["fields"].keys():
            each["fields"][name] = [names[each["fields"][name]]]
    path = tmp_path / "natural.json"
    path.write_text(json.dumps(objects))
    printed(str(path))
    assert JobDependency.objects.count() == 2
    assert Run.objects.count() == 7
    assert Job.objects.get(name="nightly report").subscribers.get().username == "ann"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "contains no jobs"),
        ("[1]", "is not a file of dumpdata"),
        ("hello", "is not JSON"),
        ('[{"model": "chroniker.job", "pk": 1, "fields": {"name": "x", "dst_gap": "RUN"}}]', "“loaddata”"),
        ('[{"model": "chroniker.job", "pk": 1, "fields": {"name": "x", "next_run": "soon"}}]', "next_run"),
    ],
)
def test_invalid_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "dump.json"
    path.write_text(text)
    with pytest.raises(CommandError, match=message):
        printed(str(path))


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(CommandError, match=r"nowhere\.json cannot be read"):
        printed("nowhere.json")


def test_values_that_are_too_long_are_refused(tmp_path: Path) -> None:
    found = imported(a_dump(tmp_path, {"name": "x", "hostname": "h" * 300}, {"name": "y"}))
    assert [each.outcome for each in found.values()] == [ImportOutcome.REFUSED, ImportOutcome.IMPORTED]
