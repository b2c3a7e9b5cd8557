"""Jobs and logs of django-chroniker are imported from its tables or a dump."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.core.management import CommandError

from chroniker import lifecycle
from chroniker.importing.django_chroniker import logs
from chroniker.importing.django_chroniker.importer import import_jobs, import_logs
from chroniker.importing.django_chroniker.jobs import ImportOptions
from chroniker.importing.django_chroniker.source import DumpSource
from chroniker.models import Job, JobDependency, JobState, LogChunk, Run, Status, Stream, Trigger
from chroniker.schedule import next_instants
from chroniker.scheduler import manual_runs
from tests.integration.importing.chroniker_imports import imported, printed
from tests.integration.importing.upgrading import FIXTURES, VERSIONS, dump, upgraded, users
from tests.support.factories import a_job

pytestmark = pytest.mark.django_db

#: After the logs in the fixtures, before the first scheduled time of their jobs.
NOW = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)


def everything() -> list[list[dict[str, Any]]]:
    """All rows that an import could change."""
    models: list[Any] = [Job, JobState, JobDependency, Run, LogChunk, Job.subscribers.through]
    return [list(model._default_manager.order_by("pk").values()) for model in models]


@pytest.mark.parametrize("version", VERSIONS)
def test_jobs_keep_the_instants_of_django_chroniker(version: str) -> None:
    given = json.loads((FIXTURES / f"instants-{version}.json").read_text())
    found = import_jobs(DumpSource(str(dump(version))), ImportOptions(NOW), by="a test")
    compared = 0
    for pk, texts in given.items():
        candidate = found[int(pk)]
        there = [dt.datetime.fromisoformat(text).replace(microsecond=0) for text in texts]
        if candidate.job.enabled:
            assert next_instants(candidate.job.spec, NOW, len(there)) == there, candidate.job.name
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
    assert "Several jobs have the same name there" in text
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
    assert "Logs not imported (more than maximum_log_entries of their job): 1." in text


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


def a_past_run(job: Job, token: int, seconds: float) -> Run:
    began = NOW - dt.timedelta(hours=1)
    times = {"claimed_at": began, "started_at": began, "finished_at": began + dt.timedelta(seconds=seconds)}
    return Run(job=job, token=token, status=Status.SUCCEEDED, trigger=Trigger.SCHEDULE, **times)


def test_runs_that_were_imported_before_or_have_no_reserved_token_are_left_out() -> None:
    job, without_state = a_job(cron="1 2 * * *"), a_job(cron="1 2 * * *")
    lifecycle.create_state_with_reserved_tokens(job.pk, 2, Status.SUCCEEDED, NOW)
    assert lifecycle.insert_imported_runs(job.pk, [a_past_run(job, token, 10 * token) for token in (1, 2, 3)], []) == 2
    Run.objects.get(token=1).delete()  # as retention would: the usual duration still includes it
    before = everything()
    again = [a_past_run(job, 2, 20), a_past_run(job, 3, 30)]
    chunks = [LogChunk(run=run, stream=Stream.STDOUT, seq=0, text="x", written_at=NOW) for run in again]
    assert lifecycle.insert_imported_runs(job.pk, again, chunks) == 0
    assert lifecycle.insert_imported_runs(without_state.pk, [a_past_run(without_state, 1, 10)], []) == 0
    assert everything() == before and job.state.recent_seconds == [10.0, 20.0]


def test_the_usual_duration_of_imported_runs_has_milliseconds() -> None:
    job = a_job(cron="1 2 * * *")
    lifecycle.create_state_with_reserved_tokens(job.pk, 1, Status.SUCCEEDED, NOW)
    assert lifecycle.insert_imported_runs(job.pk, [a_past_run(job, 1, 10.123456)], []) == 1
    assert (job.state.recent_seconds, job.state.p50, job.state.p95) == ([10.123], 10.123, 10.123)


def test_a_dry_run_shows_both_schedules_and_changes_nothing() -> None:
    before = everything()
    text = printed(str(dump("1.1.0")), "--dry-run")
    assert everything() == before
    assert "“second monday”  (would be imported)" in text
    assert "there: MONTHLY byweekday:MO;bysetpos:2" in text
    assert "16 would be imported" in text


def test_a_killed_import_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_LOGS_PER_BATCH", 1)
    source = DumpSource(str(dump("1.1.0")))
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
        import_jobs(DumpSource(str(dump("1.1.0"))), ImportOptions(NOW), by="a test")
    assert len(saved) == 3
    assert not Job.objects.exists()


def test_the_states_of_imported_jobs_are_booked_by_the_next_tick() -> None:
    printed(str(dump("1.1.0")))
    job = Job.objects.get(name="end of the month")
    lifecycle.book_next_instants([job.pk], NOW + dt.timedelta(days=365 * 100))
    assert JobState.objects.get(pk=job.pk).booked_fingerprint
