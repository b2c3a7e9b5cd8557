from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import lzma
import shlex
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chroniker import lifecycle
from chroniker.importing.candidate import Candidate, Outcome
from chroniker.importing.django_chroniker import logs
from chroniker.importing.django_chroniker.importer import import_jobs, import_logs
from chroniker.importing.django_chroniker.jobs import ImportOptions
from chroniker.importing.django_chroniker.source import Dump
from chroniker.models import Job, JobDependency, JobState, LogChunk, Run, Status, Stream
from chroniker.schedule import preview
from chroniker.scheduler import manual_runs, tick
from tests.integration.importing.upgrading import FIXTURES, VERSIONS, dump, upgraded, users
from tests.support.factories import a_job

pytestmark = pytest.mark.django_db

#: After the logs in the fixtures, before the first scheduled time of their jobs.
NOW = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)


def everything() -> list[list[dict[str, Any]]]:
    """All rows that an import could change."""
    models: list[Any] = [Job, JobState, JobDependency, Run, LogChunk, Job.subscribers.through]
    return [list(model._default_manager.order_by("pk").values()) for model in models]


def printed(*words: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("import_chroniker", *words, stdout=out, **options)
    return out.getvalue()


def imported(path: Path, now: dt.datetime = NOW, **options: Any) -> dict[str, Candidate]:
    found = import_jobs(Dump(str(path)), ImportOptions(now, **options), by="a test")
    return {candidate.job.name: candidate for candidate in found.values()}


def a_dump(tmp_path: Path, *jobs: dict[str, Any]) -> Path:
    objects = [
        {"model": "chroniker.job", "pk": pk, "fields": {"command": "noop", "frequency": "DAILY", **fields}}
        for pk, fields in enumerate(jobs, start=1)
    ]
    path = tmp_path / "dump.json"
    path.write_text(json.dumps(objects))
    return path


@pytest.mark.parametrize("version", VERSIONS)
def test_jobs_keep_the_instants_of_django_chroniker(version: str) -> None:
    given = json.loads((FIXTURES / f"instants-{version}.json").read_text())
    found = import_jobs(Dump(str(dump(version))), ImportOptions(NOW), by="a test")
    compared = 0
    for pk, texts in given.items():
        candidate = found[int(pk)]
        there = [dt.datetime.fromisoformat(text).replace(microsecond=0) for text in texts]
        if candidate.job.enabled:
            assert preview(candidate.job.spec, NOW, len(there)) == there, candidate.job.name
            assert [moment.replace(microsecond=0) for moment in candidate.instants_there] == there, candidate.job.name
            compared += 1
    assert compared >= 12


@pytest.mark.parametrize("version", VERSIONS)
def test_all_fields_are_imported(version: str) -> None:
    people = users()
    found = {name: candidate.job for name, candidate in imported(dump(version)).items()}
    report, quarter, monitor = (
        found[name] for name in ("nightly report", "every quarter of an hour", "users who are off")
    )
    assert report.args == "auth.group --indent=2 --natural-foreign"
    assert report.timeout_seconds == 300
    assert report.email_success_to_subscribers
    assert list(report.subscribers.order_by("pk")) == people
    assert (quarter.hostname, quarter.maximum_log_entries, quarter.timeout_seconds) == ("web-1", 3, None)
    assert monitor.is_monitor
    assert monitor.monitor_url == "/admin/auth/user/?is_active=0"
    assert monitor.monitor_error_template == ""
    assert not found["office hours"].log_stdout
    assert not found["on each host"].log_stderr
    assert (found["on each host"].hostname, found["on each host"].force_run) == ("*", True)
    assert (found["a raw one"].raw_command, found["a raw one"].enabled) == ("echo 'two words' done", False)
    assert found["once"].frequency == "ONCE"
    assert found["spread out"].jitter_seconds == (120 if version == "1.1.0" else 0)
    assert all(job.fail_on_stderr for job in found.values())
    assert {
        (each.dependent.name, each.dependee.name, each.wait_for_success) for each in JobDependency.objects.all()
    } == {
        ("end of the month", "nightly report", True),
        ("end of the month", "every quarter of an hour", False),
    }


def test_differences_are_listed() -> None:
    text = printed(str(dump("1.1.0")))
    assert "“nonsense” in its parameters was ignored there" in text
    assert "“count” restarted" in text
    assert "Several jobs have this name there" in text
    assert "There is no management command “no_such_one”" in text
    assert not Job.objects.get(name="half understood").enabled
    assert Job.objects.filter(name="twin (2)").exists()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.django_db(transaction=True)
def test_tables_renamed_by_migrate_are_read(version: str) -> None:
    with upgraded(version):
        text = printed()
        assert Job.objects.count() == 16
        assert f"{Run.objects.count()} logs imported as runs." in text
        assert Run.objects.count() == 7  # one is older than its job keeps
        assert Job.objects.get(name="nightly report").subscribers.count() == 2
        assert JobDependency.objects.count() == 2
        before = everything()
        printed()
        assert everything() == before


def test_missing_tables_are_reported() -> None:
    with pytest.raises(CommandError, match="There are no tables of django-chroniker in this database"):
        printed()


def test_logs_become_closed_runs_with_output() -> None:
    printed(str(dump("1.1.0")))
    job = Job.objects.get(name="nightly report")
    runs = list(Run.objects.filter(job=job).order_by("token"))
    assert [run.token for run in runs] == [1, 2, 3]
    assert [run.status for run in runs] == [Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT]
    assert [run.host for run in runs] == ["web-1", "web-1", "web-2"]
    assert (runs[0].started_at, runs[0].finished_at) == (
        dt.datetime(2026, 11, 28, 3, 30, 2, tzinfo=dt.UTC),
        dt.datetime(2026, 11, 28, 3, 30, 12, tzinfo=dt.UTC),
    )
    texts = {(chunk.stream, chunk.text) for chunk in LogChunk.objects.filter(run=runs[1])}
    assert texts == {(Stream.STDOUT, "héllo 你好\n"), (Stream.STDERR, "no rows\n")}
    assert job.state.last_status == Status.FAILED
    assert (job.state.n_succeeded, job.state.n_failed, job.state.n_timed_out) == (1, 1, 1)
    assert (job.state.recent_seconds, job.state.p50) == ([10.0], 10.0)
    assert job.state.last_success_at == runs[0].finished_at and job.state.failures == 0
    took = [run.finished_at - run.started_at for run in runs if run.finished_at and run.started_at]
    assert job.state.seconds_total == sum(each.total_seconds() for each in took)
    run = manual_runs.run_now(job, "a test")
    assert run.token == 4


def test_only_as_many_logs_are_imported_as_the_job_keeps() -> None:
    text = printed(str(dump("1.1.0")))
    runs = Run.objects.filter(job__name="every quarter of an hour").order_by("token")
    assert [run.started_at.minute for run in runs if run.started_at] == [22, 37, 52]
    assert "1 logs were not imported" in text


def test_a_second_import_changes_nothing_after_renames() -> None:
    printed(str(dump("1.1.0")))
    Job.objects.filter(name="fortnight").update(name="every other week", params="interval:3")
    JobDependency.objects.all()[0].delete()
    Run.objects.filter(job__name="nightly report", token=1).delete()  # as retention would
    before = everything()
    text = printed(str(dump("1.1.0")))
    assert everything() == before
    assert "16 imported before, unchanged" in text
    assert "0 logs imported" in text


def test_a_dry_run_shows_both_schedules_and_changes_nothing() -> None:
    before = everything()
    text = printed(str(dump("1.1.0")), "--dry-run")
    assert everything() == before
    assert "“second monday”  (would be imported)" in text
    assert "there: MONTHLY byweekday:MO;bysetpos:2" in text
    assert "16 would be imported" in text


def test_a_killed_import_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "BATCH", 1)
    source = Dump(str(dump("1.1.0")))
    batches = import_logs(source, import_jobs(source, ImportOptions(NOW), by="a test"))
    next(batches)
    next(batches)
    del batches
    assert Run.objects.count() == 2
    manual_runs.run_now(Job.objects.get(name="nightly report"), "somebody, in between")
    printed(str(dump("1.1.0")))
    tokens = Run.objects.filter(job__name="nightly report").order_by("token").values_list("token", flat=True)
    assert list(tokens) == [1, 2, 3, 4]
    state = Job.objects.get(name="nightly report").state
    assert (state.n_succeeded, state.n_failed, state.n_timed_out) == (1, 1, 1), "each log is counted once"
    assert Run.objects.count() == 8


def test_an_existing_name_is_refused() -> None:
    mine = a_job(name="fortnight", cron="1 2 * * *")
    text = printed(str(dump("1.1.0")))
    assert "“fortnight”  (not imported: Another job already has this name" in text
    assert Job.objects.get(name="fortnight") == mine
    assert Job.objects.count() == 16


def test_an_error_rolls_back_all_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[str] = []

    def save(job: Job, **options: Any) -> None:
        saved.append(job.name)
        if len(saved) == 3:
            raise RuntimeError("the plug is pulled")
        super(Job, job).save(**options)

    monkeypatch.setattr(Job, "save", save)
    with pytest.raises(RuntimeError):
        import_jobs(Dump(str(dump("1.1.0"))), ImportOptions(NOW), by="a test")
    assert len(saved) == 3
    assert not Job.objects.exists()


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
    assert preview(candidate.job.spec, NOW, 1) == [nine]
    assert candidate.instants_there[0] == nine


def test_dumps_with_use_tz_use_utc_by_default(tmp_path: Path, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Paris"
    job = {"name": "at nine", "params": "byhour:9", "next_run": "2026-12-01T09:00:00Z"}
    (candidate,) = imported(a_dump(tmp_path, job)).values()
    assert candidate.job.timezone == "UTC"
    assert "Its time zone is UTC, as there" in " ".join(candidate.differences)
    Job.objects.all().delete()
    (candidate,) = imported(a_dump(tmp_path, job), zone="Europe/Paris").values()
    assert preview(candidate.job.spec, NOW, 1) == [dt.datetime(2026, 12, 2, 8, tzinfo=dt.UTC)]


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
    assert [each.outcome for each in found.values()] == [Outcome.REFUSED, Outcome.IMPORTED]


def test_the_states_of_imported_jobs_are_booked_by_the_next_tick() -> None:
    printed(str(dump("1.1.0")))
    job = Job.objects.get(name="end of the month")
    lifecycle.book([job.pk], NOW + dt.timedelta(days=365 * 100))
    assert JobState.objects.get(pk=job.pk).booked_fingerprint
