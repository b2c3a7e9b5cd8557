"""The streams of a command in a fork, and the log handlers that write to them."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import log

from chroniker.process import command_main, command_streams


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> list[logging.Handler]:
    """All log handlers that exist, as the module sees them. The streams are those of this process again afterwards."""
    for name in ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__"):
        monkeypatch.setattr(sys, name, io.StringIO())
    found: list[logging.Handler] = []
    monkeypatch.setattr(command_streams, "_all_log_handlers", lambda: found)
    return found


def test_handlers_of_the_old_streams_write_to_the_new_ones(handlers: list[logging.Handler]) -> None:
    out, err = logging.StreamHandler(sys.stdout), logging.StreamHandler(sys.stderr)
    handlers += [out, err, logging.NullHandler(), log.AdminEmailHandler()]
    assert command_streams.redirect_streams_to_run_output()
    assert (out.stream, err.stream) == (sys.stdout, sys.stderr)


class Own(logging.StreamHandler):  # type: ignore[type-arg]
    """A handler of a project may hold anything."""


def test_a_handler_that_may_have_a_file_needs_logging_to_be_applied_again(
    handlers: list[logging.Handler], tmp_path: Path
) -> None:
    of_file = logging.FileHandler(tmp_path / "x.log")
    others: list[Callable[[], logging.Handler]] = [
        lambda: of_file,
        lambda: logging.StreamHandler(io.StringIO()),
        lambda: Own(sys.stderr),
        lambda: logging.Handler(),
    ]
    for make in others:  # made here: each call of fresh_streams replaces sys.stderr
        handlers[:] = [logging.StreamHandler(sys.stderr), make()]
        assert not command_streams.redirect_streams_to_run_output(), handlers
    of_file.close()


def test_only_the_next_set_up_of_django_leaves_the_logging_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    applied: list[object] = []
    monkeypatch.setattr(log, "configure_logging", lambda *words: applied.append(words))
    command_main.skip_next_logging_setup()
    log.configure_logging("", {})
    assert applied == []
    log.configure_logging("", {})
    assert len(applied) == 1


def test_a_project_with_its_own_way_to_configure_logging_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    applied: list[object] = []
    monkeypatch.setattr(log, "configure_logging", lambda *words: applied.append(words))
    monkeypatch.setattr(settings, "LOGGING_CONFIG", "project.configure")
    command_main.skip_next_logging_setup()
    log.configure_logging("", {})
    assert len(applied) == 1
