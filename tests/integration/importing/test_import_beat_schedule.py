"""``import_celery_beat --schedule``: the entries of ``beat_schedule`` become jobs."""

from __future__ import annotations

import datetime as dt
import io
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from celery.schedules import crontab, schedule, solar
from django.contrib.auth.models import Permission, User
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from django.urls import reverse

from chroniker.clock.database_clock import database_now
from chroniker.importing import ImportCandidate, ImportOutcome, save_candidates
from chroniker.models import Job, JobState
from chroniker.schedule import Frequency, next_instants
from chroniker_celery.beat_checks import check_beat_entries
from chroniker_celery.beat_entries import BEAT_ENTRY_ORIGIN_PREFIX
from chroniker_celery.importing import settings_entries
from chroniker_celery.importing.jobs import ImportOptions
from chroniker_celery.models import BeatEntry, key_of_entry
from tests.celeryapp import app as find_project_celery_app
from tests.support.factories import a_job

pytestmark = [pytest.mark.django_db, pytest.mark.celery]

NOW = dt.datetime(2026, 11, 30, 12, 0, 30, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


class Sunset(solar):
    def __init__(self) -> None:  # without the library that computes its times
        self.event, self.nowfun = "sunset", None


def imported(entry: dict[str, Any], *, zone: str = "UTC", now: dt.datetime = NOW) -> ImportCandidate:
    """The job of one entry of a task that the project has."""
    app = Celery("importing", set_as_current=False, fixups=[])
    app.conf.update(timezone=zone, beat_schedule={"report": {"task": "testapp.takes_anything", **entry}})
    found = settings_entries.make_import_candidates(app, ImportOptions(now, {"testapp.takes_anything"}))
    save_candidates(found, by="a test")
    return found[0]


@pytest.fixture
def entries() -> Iterator[dict[str, Any]]:
    """Entries of the project's app."""
    before = find_project_celery_app.conf.beat_schedule
    find_project_celery_app.conf.beat_schedule = found = {
        "report": {"task": "testapp.witness", "schedule": crontab(minute=0), "args": ("a file", "report")},
        "too often": {"task": "testapp.witness", "schedule": 0.5},
    }
    try:
        yield found
    finally:
        find_project_celery_app.conf.beat_schedule = before


def printed(*words: str) -> str:
    out = io.StringIO()
    call_command("import_celery_beat", "--schedule", *words, stdout=out)
    return out.getvalue()


def test_a_crontab_keeps_its_times_in_the_zone_of_the_app() -> None:
    found = imported({"schedule": crontab(minute="*/30", hour=[17, 9], day_of_week="mon-fri")}, zone="Europe/Paris")
    assert (found.job.cron, found.job.timezone) == ("*/30 9,17 * * mon-fri", "Europe/Paris")
    assert next_instants(found.job.spec, NOW, 10) == found.instants_there
    assert found.job.origin == f"{BEAT_ENTRY_ORIGIN_PREFIX}report"


@pytest.mark.parametrize("every", [90, 90.0, dt.timedelta(seconds=90), schedule(90)])
def test_an_interval_begins_after_the_import(every: Any) -> None:
    found = imported({"schedule": every})
    assert (found.job.frequency, found.job.params) == (Frequency.SECONDLY, "interval:90")
    assert next_instants(found.job.spec, NOW, 2) == found.instants_there[:2]
    assert found.due_since is None


def test_arguments_and_options_are_kept() -> None:
    options = {"queue": "slow", "priority": 3, "expires": 600, "serializer": "json"}
    entry = {"schedule": 60, "args": ("a", [1]), "kwargs": {"full": True}, "options": options}
    found = imported(entry)
    job = found.job
    words = ["testapp.takes_anything", "--args", '["a", [1]]', "--kwargs", '{"full": true}']
    assert (job.command, shlex.split(job.args)) == ("run_celery_task", words)
    assert (job.queue, job.priority, job.start_deadline_seconds) == ("slow", 3, 600)
    assert "These options are not imported: serializer." in found.differences


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"schedule": 0.5}, "the shortest interval is one second"),
        ({"schedule": Sunset()}, "A solar schedule (sunset) has no equivalent."),
        ({"schedule": type("Tides", (schedule,), {})(60)}, "A schedule of the type Tides has no equivalent."),
        ({"schedule": 60, "args": (object(),)}, "Its arguments are not JSON"),
        ({"schedule": 60, "kwargs": {"since": NOW}}, "Its arguments are not JSON"),
    ],
)
def test_an_entry_without_an_equivalent_is_reported(entry: dict[str, Any], words: str) -> None:
    found = imported(entry)
    assert found.outcome is ImportOutcome.REFUSED
    assert words in found.refusal
    assert not Job.objects.exists()


@pytest.mark.parametrize("every", [24 * HOUR, crontab(minute=0, hour=4)], ids=["interval", "crontab"])
def test_a_job_runs_at_once_if_its_entry_was_due_while_no_beat_ran(every: Any) -> None:
    now = database_now()
    BeatEntry.objects.create(key=key_of_entry("report"), name="report", served_until=now - 25 * HOUR)
    found = imported({"schedule": every}, now=now)
    assert found.job.enabled
    assert found.due_since is not None and now - 25 * HOUR < found.due_since <= now
    call_command("cron", "--dry-run", stdout=(out := io.StringIO()))
    assert "report" in out.getvalue()
    assert JobState.objects.filter(job=found.job).exists()


def test_the_command_imports_once_and_explains_what_remains(entries: dict[str, Any]) -> None:
    assert "1 would be imported" in printed("--dry-run")
    assert not Job.objects.exists()
    output = printed()
    assert "“too often”  (not imported: An interval of 500000 microseconds has no equivalent" in output
    assert "Now delete these entries from the settings." in output
    assert "differs" not in output
    job = Job.objects.get()
    job.name = "renamed"
    job.save()
    assert "1 imported before, unchanged" in printed("tests.celeryapp:app")
    assert Job.objects.get().name == "renamed"


@pytest.mark.parametrize("by_command", [True, False], ids=["command", "admin"])
def test_the_entries_of_add_periodic_task_are_imported(
    monkeypatch: pytest.MonkeyPatch, admin_client: Client, by_command: bool
) -> None:
    """Also those that the project adds after all tasks are there, as Celery's documentation shows."""
    app = Celery("periodic", set_as_current=False, fixups=[], broker="memory://")

    def add(name: str) -> None:
        app.add_periodic_task(60, app.signature("testapp.takes_anything"), name=name)

    add("at once")
    app.on_after_configure.connect(lambda sender, **_: add("configured"), weak=False)
    app.on_after_finalize.connect(lambda sender, **_: add("finalized"), weak=False)
    monkeypatch.setitem(globals(), "periodic", app)
    names = ["at once", "configured", "finalized"]
    if by_command:
        printed(f"{__name__}:periodic")
    else:
        rows = [BeatEntry(key=key_of_entry(name), name=name, served_until=database_now()) for name in names]
        BeatEntry.objects.bulk_create(rows)
        data = {"action": "make_jobs", "_selected_action": [row.pk for row in BeatEntry.objects.all()]}
        backend = {"BACKEND": "chroniker_celery.executor.CeleryExecutor", "OPTIONS": {"app": f"{__name__}:periodic"}}
        with override_settings(CHRONIKER_EXECUTORS={"default": backend}):
            admin_client.post(reverse("admin:chroniker_celery_beatentry_changelist"), data)
    assert sorted(Job.objects.values_list("name", flat=True)) == names


def test_a_file_and_the_schedule_are_refused_together() -> None:
    with pytest.raises(CommandError, match="Give a FILE or --schedule, not both"):
        call_command("import_celery_beat", "dump.json", "--schedule", "")


def test_an_app_that_cannot_be_imported_is_refused() -> None:
    with pytest.raises(CommandError, match=r"The Celery app 'no.such:app' cannot be imported"):
        printed("no.such:app")


def test_entries_that_are_also_jobs_are_named_by_a_check(entries: dict[str, Any]) -> None:
    def found() -> list[str]:
        messages = run_checks(tags=["chroniker"], databases=["default"])
        return [str(message.msg) for message in messages if message.id == "chroniker_celery.W008"]

    assert found() == []
    printed("--disabled")
    assert found() == ["These entries of beat_schedule are also jobs: “report”."]
    del entries["report"]
    assert found() == []


def test_the_check_of_entries_sees_those_that_are_added_when_the_app_is_finalized(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = Celery("periodic", set_as_current=False, fixups=[], broker="redis://localhost:1/0")
    signature = app.signature("testapp.takes_anything")
    app.on_after_finalize.connect(lambda sender, **_: app.add_periodic_task(60, signature, name="late"), weak=False)
    monkeypatch.setitem(globals(), "periodic", app)
    a_job(origin=f"{BEAT_ENTRY_ORIGIN_PREFIX}late", enabled=False)
    backend = {"BACKEND": "chroniker_celery.executor.CeleryExecutor", "OPTIONS": {"app": f"{__name__}:periodic"}}
    with override_settings(CHRONIKER_EXECUTORS={"default": backend}):
        messages = check_beat_entries(databases=["default"])
    assert [message.msg for message in messages] == ["These entries of beat_schedule are also jobs: “late”."]


def test_the_admin_makes_jobs_of_entries(admin_client: Client, entries: dict[str, Any]) -> None:
    rows = [
        BeatEntry.objects.create(key=key_of_entry(name), name=name, served_until=database_now())
        for name in ("report", "too often", "removed")
    ]
    data = {"action": "make_jobs", "_selected_action": [row.pk for row in rows]}
    url = reverse("admin:chroniker_celery_beatentry_changelist")
    page = admin_client.post(url, data, follow=True).content.decode()
    assert "is a job now. Delete the entry from the settings." in page
    assert "“too often” was not imported: An interval of" in page
    assert "entries that are not in the settings of this site were left out" in page
    assert [job.name for job in Job.objects.all()] == ["report"]
    assert "“report” is a job already." in admin_client.post(url, data, follow=True).content.decode()


@pytest.mark.parametrize(("permissions", "may"), [(["view_beatentry"], False), (["view_beatentry", "add_job"], True)])
def test_making_jobs_of_entries_needs_the_permission_to_add_jobs(
    client: Client, entries: dict[str, Any], permissions: list[str], may: bool
) -> None:
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    row = BeatEntry.objects.create(key=key_of_entry("report"), name="report", served_until=database_now())
    url = reverse("admin:chroniker_celery_beatentry_changelist")
    assert client.get(url).status_code == 200
    client.post(url, {"action": "make_jobs", "_selected_action": [row.pk]})
    assert Job.objects.exists() is may
    assert (
        client.post(reverse("admin:chroniker_celery_beatentry_delete", args=[row.pk]), {"post": "yes"}).status_code
        == 403
    )
