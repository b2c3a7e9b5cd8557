"""What the checks and the doctor report about this host."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from chroniker.checks.host import check_host
from chroniker.process import capabilities
from tests.support.manage import Manage


def test_this_kernel_supports_keepers() -> None:
    assert capabilities.missing_kernel_features() == []


def test_an_unsuitable_kernel_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capabilities, "IS_LINUX", True)
    monkeypatch.setattr(capabilities, "has_subreapers", lambda: False)
    [message] = [each for each in check_host() if each.id == "chroniker.E015"]
    assert "PR_SET_CHILD_SUBREAPER" in message.msg
    assert message.is_serious()


def test_a_thread_started_by_the_project_is_named_with_its_package() -> None:
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait, name="batches")
    thread.start()
    try:
        [message] = [each for each in check_host() if each.id == "chroniker.W013"]
        assert "batches (package threading)" in message.msg
    finally:
        ended.set()
        thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="no fork server elsewhere")
@pytest.mark.django_db(transaction=True)
def test_the_doctor_names_threads_started_by_the_project(manage: Manage, tmp_path: Path) -> None:
    (tmp_path / "batcher.py").write_text(
        "import threading, time\n"
        "def work():\n    time.sleep(600)\n"
        "threading.Thread(target=work, name='batches', daemon=True).start()\n"
    )
    (tmp_path / "threaded_settings.py").write_text("from tests.settings import *\nimport batcher\n")
    path = f"{tmp_path}:{manage.env.get('PYTHONPATH', '')}"
    env = {**manage.env, "PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": "threaded_settings"}
    done = Manage(env, manage.directory)("doctor")
    assert "batches (package batcher)" in done.stdout + done.stderr
