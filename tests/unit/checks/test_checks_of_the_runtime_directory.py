from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.unit.checks.check_messages import only, problems


@pytest.fixture
def private(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    path.mkdir(mode=0o700)
    return path


def test_a_relative_runtime_directory_is_refused() -> None:
    assert only(CHRONIKER_RUNTIME_DIR="run/chroniker").id == "chroniker.E009"


def test_a_file_as_runtime_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert only(CHRONIKER_RUNTIME_DIR=tmp_path / "file").id == "chroniker.E009"


def test_a_path_too_long_for_sockets_is_refused_only_where_sockets_are_used(
    private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = private / ("long" * 30)
    path.mkdir(mode=0o700)
    monkeypatch.setattr(sys, "platform", "linux")
    assert problems(CHRONIKER_RUNTIME_DIR=path) == []
    monkeypatch.setattr(sys, "platform", "darwin")
    assert only(CHRONIKER_RUNTIME_DIR=path).id == "chroniker.E009"


def test_a_missing_runtime_directory_is_accepted_if_it_can_be_created(private: Path) -> None:
    assert problems(CHRONIKER_RUNTIME_DIR=private / "new" / "newer") == []


def test_a_runtime_directory_writable_by_others_is_refused(private: Path) -> None:
    private.chmod(0o770)
    message = only(CHRONIKER_RUNTIME_DIR=private)
    assert message.id == "chroniker.E010"
    assert "0770" in message.msg


def test_a_runtime_directory_of_another_user_is_refused(private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: private.stat().st_uid + 1)
    assert only(CHRONIKER_RUNTIME_DIR=private).id == "chroniker.E010"


def test_root_may_check_a_runtime_directory_of_another_user(private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert problems(CHRONIKER_RUNTIME_DIR=private) == []


def test_a_runtime_directory_that_cannot_be_written_is_refused(private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert only(CHRONIKER_RUNTIME_DIR=private).id == "chroniker.E010"
