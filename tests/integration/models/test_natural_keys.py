"""Jobs move to another environment by ``dumpdata`` and ``loaddata`` with natural keys."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from chroniker.models import Blackout, Calendar, Group, Job, JobDependency
from tests.support.factories import a_job

pytestmark = pytest.mark.django_db

LABELS = [f"chroniker.{name}" for name in ("group", "calendar", "blackout", "job", "jobdependency")]


def dump(path: Path) -> str:
    out = io.StringIO()
    call_command("dumpdata", *LABELS, "--natural-primary", "--natural-foreign", stdout=out)
    path.write_text(out.getvalue())
    return str(path)


def test_jobs_are_matched_by_name(tmp_path: Path) -> None:
    group, calendar = Group.objects.create(name="nightly"), Calendar.objects.create(name="holidays")
    start = dt.datetime(2026, 12, 24, tzinfo=dt.UTC)
    Blackout.objects.create(calendar=calendar, name="Christmas", starts_at=start, ends_at=start + dt.timedelta(days=2))
    backup = a_job(name="backup", cron="0 2 * * *", group=group, calendar=calendar)
    report = a_job(name="report", cron="0 3 * * *")
    report.subscribers.add(User.objects.create(username="anna"))
    JobDependency.objects.create(dependent=report, dependee=backup, wait_for_success=False)
    Job.objects.update(edited_at=None)
    path = dump(tmp_path / "jobs.json")
    for model in (JobDependency, Job, Blackout, Calendar, Group):
        model.objects.all().delete()
    other = a_job(name="other", cron="0 4 * * *")
    existing = a_job(name="backup", cron="0 5 * * *")
    Job.objects.update(edited_at=None)

    call_command("loaddata", path, verbosity=0)
    call_command("loaddata", path, verbosity=0)  # and again: no duplicates

    other.refresh_from_db()
    existing.refresh_from_db()
    assert (other.name, other.cron, other.edited_at) == ("other", "0 4 * * *", None)
    assert (existing.cron, existing.group, existing.calendar) == (
        "0 2 * * *",
        Group.objects.get(),
        Calendar.objects.get(),
    )
    assert existing.edited_at is not None  # the next tick books it again
    assert set(Job.objects.values_list("name", flat=True)) == {"backup", "report", "other"}
    assert [user.username for user in Job.objects.get(name="report").subscribers.all()] == ["anna"]
    assert JobDependency.objects.get().wait_for_success is False
    assert Blackout.objects.get().calendar.name == "holidays"
