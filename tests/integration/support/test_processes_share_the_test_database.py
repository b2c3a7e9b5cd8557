from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.sites.models import Site

from tests.support.processes import ManagementCommand, Process, wait_until, with_settings

RENAME = """
import django; django.setup()
from django.contrib.sites.models import Site
site = Site.objects.get(domain="from.test")
site.domain = "from.process"
site.save()
"""


@pytest.mark.django_db(transaction=True)
def test_test_and_process_see_the_committed_rows_of_each_other(subprocess_env: dict[str, str], tmp_path: Path) -> None:
    site = Site.objects.create(domain="from.test", name="test")
    with Process(["-c", RENAME], subprocess_env, tmp_path) as process:
        assert process.wait() == 0
    site.refresh_from_db()
    assert site.domain == "from.process"


def test_a_process_reads_the_given_settings(subprocess_env: dict[str, str], tmp_path: Path) -> None:
    env = with_settings(subprocess_env, SITE_ID=42)
    program = "from django.conf import settings; print(settings.SITE_ID)"
    with Process(["-c", program], env, tmp_path) as process:
        assert process.wait() == 0
    assert process.log == "42\n"


def test_a_stopped_process_leaves_no_daemon_behind(subprocess_env: dict[str, str], tmp_path: Path) -> None:
    pidfile = tmp_path / "pids"
    with ManagementCommand("fork_daemon", str(pidfile), "--refork", env=subprocess_env, directory=tmp_path) as command:
        assert command.wait() == 0
        wait_until(command.survivors, what="daemon alive after its parent")
    assert not command.survivors()
