"""Two workers on one broker that say they are different hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from chroniker.models import Status
from tests.celery.steps import a_claimed_run, wait_until_closed
from tests.celeryproc import CeleryWorker
from tests.processes import with_settings

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]


def test_each_run_goes_to_the_worker_of_its_host(env: dict[str, str], tmp_path: Path) -> None:
    names = ["one", "two", "two", "one"]
    runs = [a_claimed_run(hostname=name) for name in names]
    with (
        CeleryWorker(with_settings(env, CHRONIKER_HOSTNAME="one"), tmp_path) as one,
        CeleryWorker(with_settings(env, CHRONIKER_HOSTNAME="two"), tmp_path, queues=["others"]),
    ):
        closed = [wait_until_closed(run) for run in runs]
        assert [(run.status, run.host) for run in closed] == [(Status.SUCCEEDED, name) for name in names], one.log
