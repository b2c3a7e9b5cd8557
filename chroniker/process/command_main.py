"""Inside the command's own process: drop what was inherited, run the command, leave with its exit status."""

from __future__ import annotations

import atexit
import gc
import io
import logging
import os
import signal
import sys
import threading
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from chroniker.process import progress, project_setup, run_marker
from chroniker.process.keeper_protocol import Descriptors
from chroniker.process.kernel import (
    close_descriptors,
    die_with_parent,
    forbid_new_privileges,
    name_process,
    offer_to_oom_killer,
)
from chroniker.process.run_spec import PROGRESS, RUN_ID, RUN_TOKEN, RunSpec

if TYPE_CHECKING:
    from django.core.management.base import BaseCommand, CommandParser

#: Whether this very code and these settings have passed Django's system checks, in the fork server this is a fork of.
checked = False

_OOM_POINTS = 300
_NOT_RUNNABLE, _NOT_FOUND = 126, 127  # as a shell's


class CommandProcess:
    """What a keeper's fork becomes. `shared` descriptors were opened by the project's own start-up, and are kept."""

    def __init__(self, shared: frozenset[int] = frozenset()) -> None:
        self._shared = shared

    def become(self, order: RunSpec, given: Descriptors, keeper: int) -> NoReturn:
        """Run the order's command in this process, and end it."""
        _leave_the_keeper(keeper)
        progress.attach(given.progress)
        _take_streams(given)
        close_descriptors(self._shared)
        run_marker.write_marker(order.run_id)
        _enter_environment(order, f"/proc/{keeper}/fd/{given.progress}")
        if order.raw:
            run_raw(order.argv)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as every Python program starts
        gc.enable()
        fresh_streams()
        leave(run_management_command(order.argv))


def _leave_the_keeper(keeper: int) -> None:
    """From here on an ordinary process: default signals, a session of its own, and dead when its keeper is."""
    die_with_parent(signal.SIGKILL)
    if os.getppid() != keeper:  # it died before the line above
        os._exit(_NOT_RUNNABLE)
    os.setsid()
    name_process("chroniker-run")
    offer_to_oom_killer(_OOM_POINTS)
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with suppress(OSError, ValueError):  # reserved by the C library
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _take_streams(given: Descriptors) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (given.out, 1), (given.err, 2)):
        os.dup2(source, target)


def _enter_environment(order: RunSpec, progress_path: str) -> None:
    os.environ.update(order.env)
    os.environ[RUN_ID] = str(order.run_id)
    os.environ[RUN_TOKEN] = str(order.token)
    os.environ[PROGRESS] = progress_path
    if order.cwd is not None:
        try:
            os.chdir(order.cwd)
        except OSError as error:
            _refuse(order.cwd, error, _NOT_RUNNABLE)


def _refuse(what: str, error: OSError, status: int) -> NoReturn:
    os.write(2, f"{what}: {error.strerror}\n".encode("utf-8", "surrogateescape"))
    os._exit(status)


def run_raw(argv: tuple[str, ...]) -> NoReturn:
    """Become another program, found like a shell finds it; it can gain no privileges."""
    forbid_new_privileges()
    try:
        os.execvp(argv[0], argv)  # nosec B606  # no shell is the point
    except FileNotFoundError as error:
        _refuse(argv[0], error, _NOT_FOUND)
    except OSError as error:
        _refuse(argv[0], error, _NOT_RUNNABLE)


def fresh_streams() -> None:
    """stdin, stdout and stderr on the real descriptors, in place of whatever the worker had put there."""
    old = (sys.stdout, sys.stderr)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
    sys.stdout, sys.stderr = _writer(1), _writer(2)
    vars(sys).update(__stdin__=sys.stdin, __stdout__=sys.stdout, __stderr__=sys.stderr)
    # Django's LOGGING is applied anew by its own start; a bare `basicConfig` of the project's is not.
    for each in logging.root.handlers:
        if isinstance(each, logging.StreamHandler) and each.stream in old:
            each.setStream(sys.stderr if each.stream is old[1] else sys.stdout)


def _writer(descriptor: int) -> io.TextIOWrapper:
    buffer = io.BufferedWriter(io.FileIO(descriptor, "w", closefd=False))
    return io.TextIOWrapper(buffer, encoding="utf-8", errors="backslashreplace", line_buffering=True)


def run_management_command(argv: tuple[str, ...]) -> int:
    """Like `manage.py`; returns the exit status."""
    sys.argv = ["manage.py", *argv]
    try:
        project_setup.load()
        # Imported here: in a cold start Django does not exist before this line. Its start-up applies LOGGING,
        # onto the streams made above; connections the fork server may have had were closed before it forked.
        from django.core.management import ManagementUtility

        class Utility(ManagementUtility):
            def fetch_command(self, subcommand: str) -> BaseCommand:
                command = super().fetch_command(subcommand)
                if checked and command.requires_system_checks:
                    _skip_checks(command)
                return command

        Utility(sys.argv).execute()
    except SystemExit as stop:
        return _exit_status(stop.code)
    except BaseException:  # the command's own failure, of any kind
        traceback.print_exc()
        return 1
    return 0


def _skip_checks(command: BaseCommand) -> None:
    """As if it were given --skip-checks; the option itself stays, for those who give it."""
    make = command.create_parser

    def create_parser(*words: Any, **options: Any) -> CommandParser:
        parser = make(*words, **options)
        parser.set_defaults(skip_checks=True)
        return parser

    command.create_parser = create_parser  # type: ignore[method-assign]


def _exit_status(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def leave(status: int) -> NoReturn:
    """End like an interpreter does (threads awaited, exit functions run, streams flushed), without its tear-down."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # no public name; multiprocessing does the same
        atexit._run_exitfuncs()
    except BaseException:  # an exit function's failure is not the command's
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):  # closed by the command, or nobody reads it any more
                stream.flush()
        os._exit(status)
