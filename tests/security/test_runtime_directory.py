"""The directory of locks and sockets. By default it is in /tmp, where another user may have created it before."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from uuid import uuid4

import pytest
from django.test import override_settings

from chroniker.checks.runtime_dir import check_runtime_dir
from chroniker.models import Run, Status
from chroniker.scheduler.manual_runs import run_now
from chroniker.worker.run_lock import RunLock
from chroniker.worker.wake_socket import WakeSocket
from tests.support.command_jobs import a_job_of_new_year, the_run
from tests.support.manage import Manage

SOMEBODY = 65534


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def owned_by_another_user(tmp_path: Path) -> Path:
    """Only root can change the owner of a directory; other users use an existing directory of root."""
    if os.geteuid() != 0:
        return Path("/usr")
    directory = tmp_path / "theirs"
    directory.mkdir(mode=0o700)
    os.chown(directory, SOMEBODY, SOMEBODY)
    return directory


def writable_by_others(tmp_path: Path) -> Path:
    directory = tmp_path / "open"
    directory.mkdir()
    directory.chmod(0o777)
    return directory


def a_link_of_another_user(tmp_path: Path) -> Path:
    link = tmp_path / "link"
    link.symlink_to(owned_by_another_user(tmp_path))
    return link


def a_broken_link(tmp_path: Path) -> Path:
    link = tmp_path / "nothing"
    link.symlink_to(tmp_path / "made by the victim")
    return link


BAD = [owned_by_another_user, writable_by_others, a_link_of_another_user, a_broken_link]


@pytest.mark.parametrize("trap", BAD)
def test_nothing_is_created_in_a_directory_that_others_can_write(trap: object, tmp_path: Path) -> None:
    assert callable(trap)
    directory: Path = trap(tmp_path)
    before = sorted(directory.iterdir()) if directory.exists() else None
    with pytest.raises(OSError, match=r"runtime directory|exists"):
        RunLock.take(directory, uuid4())
    assert (sorted(directory.iterdir()) if directory.exists() else None) == before


def test_a_symbolic_link_of_another_user_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        return  # only root can create a link owned by another user
    ours, link = tmp_path / "ours", tmp_path / "link"
    ours.mkdir(mode=0o700)
    link.symlink_to(ours)
    os.chown(link, SOMEBODY, SOMEBODY, follow_symlinks=False)
    with pytest.raises(PermissionError, match=f"is a link of user {SOMEBODY}"):
        RunLock.take(link, uuid4())
    with override_settings(CHRONIKER_RUNTIME_DIR=str(link)):
        assert [message.id for message in check_runtime_dir()] == ["chroniker.E010"]
    assert list(ours.iterdir()) == []


def test_created_files_are_private_for_any_umask(tmp_path: Path) -> None:
    directory, run_id = tmp_path / "runtime", uuid4()
    before = os.umask(0)
    try:
        lock = RunLock.take(directory, run_id)
        assert lock is not None
        with lock, WakeSocket(directory, run_id):
            assert mode(directory) == 0o700
            assert {mode(path) for path in directory.iterdir()} == {0o600}
            assert len(list(directory.iterdir())) == 2
    finally:
        os.umask(before)
    assert list(directory.iterdir()) == []


@pytest.mark.django_db(transaction=True)
def test_no_command_runs_from_a_directory_of_another_user(manage: Manage, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    job = a_job_of_new_year(command="", raw_command=f"touch {taken}")
    run_now(job, "a test")
    manage.having(CHRONIKER_RUNTIME_DIR=str(writable_by_others(tmp_path)))("cron", "--skip-checks")
    assert not taken.exists()
    assert the_run(job).status == Status.CLAIMED
    assert Run.objects.count() == 1
