"""The files by which probes see that a process works."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from chroniker import alive
from chroniker.process import alive_file
from chroniker.process.alive_file import MAX_ALIVE_FILE_AGE_SECONDS, AliveFile, seconds_since_last_loop


class Clock:
    now = 10_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(alive_file, "boot_clock", clock)
    return clock


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "run"


def an_alive_file(directory: Path, kind: str = "beat") -> AliveFile:
    file = AliveFile(kind, lambda: directory)
    file.touch()
    return file


def test_its_age_grows_until_it_is_touched_again(directory: Path, clock: Clock) -> None:
    file = an_alive_file(directory)
    [path] = (directory / "alive").iterdir()
    clock.now += 61
    assert seconds_since_last_loop(directory, "beat") == {path.name: 61}
    assert alive.find_liveness_problem("beat", 61, directory) == ""
    assert alive.find_liveness_problem("beat", 60, directory).endswith(" last worked 61 s ago.")
    file.touch()
    assert seconds_since_last_loop(directory, "beat") == {path.name: 0}
    file.remove()
    assert seconds_since_last_loop(directory, "beat") == {}


@pytest.mark.parametrize(("age", "status"), [(60, 0), (61, 1)])
def test_a_process_may_be_silent_for_a_minute(directory: Path, clock: Clock, age: int, status: int) -> None:
    an_alive_file(directory)
    clock.now += age
    with pytest.raises(SystemExit) as end:
        alive.main(["beat", "--runtime-dir", str(directory)])
    assert end.value.code == status


def test_a_loop_that_turns_fast_writes_seldom(directory: Path, clock: Clock) -> None:
    file = an_alive_file(directory)
    clock.now += 1
    file.touch()
    assert list(seconds_since_last_loop(directory).values()) == [1]


def test_one_of_several_processes_is_enough_and_other_kinds_do_not_count(directory: Path, clock: Clock) -> None:
    file = an_alive_file(directory)
    [path] = (directory / "alive").iterdir()
    path.rename(path.with_name("beat-1"))
    clock.now += 100
    file.touch()
    assert sorted(seconds_since_last_loop(directory, "beat").values()) == [0, 100]
    assert alive.find_liveness_problem("beat", 60, directory) == ""
    assert "No worker has written a file in" in alive.find_liveness_problem("worker", 60, directory)


def test_a_file_of_an_earlier_start_of_the_machine_is_old(
    directory: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_alive_file(directory)
    monkeypatch.setattr(alive_file, "boot_id", lambda: "another")
    assert alive.find_liveness_problem("beat", 60, directory).endswith("before this machine was started.")
    monkeypatch.undo()
    assert alive.find_liveness_problem("beat", 60, directory) != "", (
        "on a system without ids: its time is in the future"
    )


@pytest.mark.parametrize("text", ["", "now", "12", "\0\0\0"])
def test_a_damaged_file_is_no_sign_of_life(directory: Path, clock: Clock, text: str) -> None:
    an_alive_file(directory)
    [path] = (directory / "alive").iterdir()
    path.write_text(text)
    assert alive.find_liveness_problem("beat", 60, directory) != ""


def test_files_of_killed_processes_are_deleted_later(directory: Path, clock: Clock) -> None:
    an_alive_file(directory)
    [path] = (directory / "alive").iterdir()
    text = path.read_text()
    for name, age in (("beat-1", MAX_ALIVE_FILE_AGE_SECONDS + 1), ("worker-2", MAX_ALIVE_FILE_AGE_SECONDS - 1)):
        path.with_name(name).write_text(text.replace("10000.000", f"{10_000 - age:09.3f}"))
    path.unlink()
    file = AliveFile("cronserver", lambda: directory)
    file.touch()
    assert {path.name.partition("-")[0] for path in (directory / "alive").iterdir()} == {"worker", "cronserver"}


def test_a_deleted_file_is_written_again(directory: Path, clock: Clock) -> None:
    file = an_alive_file(directory)
    [path] = (directory / "alive").iterdir()
    path.unlink()
    clock.now += 10
    file.touch()
    assert seconds_since_last_loop(directory, "beat") == {path.name: 0}


def test_a_directory_that_cannot_be_used_is_logged_once_and_stops_nothing(
    directory: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    directory.write_text("a file")
    file = AliveFile("beat", lambda: directory)
    with caplog.at_level(logging.WARNING):
        for _each in range(3):
            file.touch()
            clock.now += 10
    assert len(caplog.records) == 1 and "Probes will not see" in caplog.text
    directory.unlink()
    file.touch()
    assert list(seconds_since_last_loop(directory).values()) == [0]


@pytest.mark.parametrize("words", [["beats"], [], ["beat", "--max-age", "0"], ["beat", "--max-age", "soon"]])
def test_wrong_arguments_have_a_status_of_their_own(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        alive.main(words)
    assert end.value.code == 2 and "usage: chroniker-alive" in capsys.readouterr().err
