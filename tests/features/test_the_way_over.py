"""Each way over, as its user goes it: with manage.py, on a database of its own."""

from __future__ import annotations

import pytest

from chroniker.models import Job, JobDependency, Run
from tests.importing.upgrading import dump, upgraded, users
from tests.integration.commands.conftest import Manage

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_project_that_used_django_chroniker_upgrades_in_place(manage: Manage) -> None:
    with upgraded("1.1.0"):
        rehearsed = manage("import_chroniker", "--dry-run")
        assert rehearsed.returncode == 0, rehearsed.stderr
        assert not Job.objects.exists()
        done = manage("import_chroniker")
        assert done.returncode == 0, done.stderr
        assert "“nightly report”  (imported)" in done.stdout
        assert "2026-12-02 03:30:00+00:00  2026-12-02 03:30:00+00:00\n" in done.stdout
        assert (Job.objects.count(), JobDependency.objects.count(), Run.objects.count()) == (16, 2, 7)
        assert Job.objects.get(name="nightly report").fail_on_stderr
        assert "16 imported before, left as it is\n" in manage("import_chroniker").stdout


def test_a_dump_of_django_chroniker_is_imported(manage: Manage) -> None:
    users()
    done = manage("import_chroniker", str(dump("1.0.24")))
    assert done.returncode == 0, done.stderr
    assert (Job.objects.count(), JobDependency.objects.count(), Run.objects.count()) == (16, 2, 7)
    assert "16 imported before, left as it is\n" in manage("import_chroniker", str(dump("1.0.24"))).stdout
