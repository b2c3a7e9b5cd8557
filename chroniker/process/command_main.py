"""The command's own process: close inherited files, run the command, end with its exit status."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import gc
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from chroniker.process import progress, run_marker
from chroniker.process.command_exit import end_process, exit_status_of_code, report_uncaught_exception
from chroniker.process.command_start import exec_new_python, needs_new_python, run_project_setup
from chroniker.process.command_streams import redirect_streams_to_run_output
from chroniker.process.keeper_protocol import KeeperDescriptors
from chroniker.process.kernel import (
    close_descriptors_except,
    forbid_new_privileges,
    raise_oom_score,
    request_parent_death_signal,
    set_process_name,
    set_process_title,
)
from chroniker.process.run_spec import PROGRESS_FILE_VARIABLE, RUN_ID_VARIABLE, RUN_TOKEN_VARIABLE, RunSpec
from chroniker.process.run_variables import replace_variables

if TYPE_CHECKING:
    from django.core.management.base import BaseCommand, CommandParser

#: Whether this code and these settings have passed Django's system checks, in the fork server.
has_passed_system_checks = False

PROCESS_NAME = "chroniker-run"
_OOM_SCORE_INCREASE = 300
_RESETTABLE_SIGNALS = [int(number) for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}]
_NOT_RUNNABLE_STATUS, _NOT_FOUND_STATUS = 126, 127  # the exit statuses of a shell


class CommandProcess:
    """Turns a fork of the keeper into the command. `shared_descriptors`: opened by the project's start-up; they
    stay open."""

    def __init__(self, shared_descriptors: frozenset[int] = frozenset()) -> None:
        self._shared = shared_descriptors

    def run_command(self, spec: RunSpec, descriptors: KeeperDescriptors, keeper_pid: int) -> NoReturn:
        """Run the spec's command in this process, and end it."""
        _reset_process_state(keeper_pid)
        progress.attach_shared_memory(descriptors.progress)
        _connect_streams(descriptors)
        close_descriptors_except(self._shared)
        run_marker.write_run_marker(spec.run_id)
        title = f"chroniker: {' '.join(['manage.py', *spec.argv])} (job {spec.job_id}, run {spec.run_id})"
        set_process_title(title)
        new_python = needs_new_python(spec.argv, spec.env)
        _apply_environment(spec, f"/proc/{keeper_pid}/fd/{descriptors.progress}")
        if spec.raw:
            exec_raw_command(spec.argv)
        if new_python:
            exec_new_python(title, spec.argv)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # Python's default
        gc.enable()
        reseed_numpy_random()
        end_process(run_management_command(spec.argv, keep_logging=redirect_streams_to_run_output()))


def main() -> None:
    """Run a management command in a new Python. `argv`: process title, command name, arguments."""
    title, *argv = sys.argv[1:]
    set_process_name(PROCESS_NAME)
    set_process_title(title)
    redirect_streams_to_run_output()
    end_process(run_management_command(tuple(argv)))


def reseed_numpy_random() -> None:
    """Give each fork different random numbers from numpy. Python's own generator does this itself after a fork."""
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()


def _reset_process_state(keeper_pid: int) -> None:
    """Become an ordinary process: default signals, its own session, and SIGKILL when the keeper dies."""
    request_parent_death_signal(signal.SIGKILL)
    if os.getppid() != keeper_pid:  # the keeper died before the line above
        os._exit(_NOT_RUNNABLE_STATUS)
    os.setsid()
    set_process_name(PROCESS_NAME)
    raise_oom_score(_OOM_SCORE_INCREASE)
    signal.set_wakeup_fd(-1)
    for number in _RESETTABLE_SIGNALS:
        with suppress(OSError, ValueError):  # reserved by the C library
            _signal.signal(number, _signal.SIG_DFL)  # not by `signal`: a fork would copy the memory of its enums
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _connect_streams(descriptors: KeeperDescriptors) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (descriptors.out, 1), (descriptors.err, 2)):
        os.dup2(source, target)


def _apply_environment(spec: RunSpec, progress_path: str) -> None:
    os.environ.update(spec.env)
    replace_variables(os.environ, spec.variables)
    os.environ[RUN_ID_VARIABLE] = str(spec.run_id)
    os.environ[RUN_TOKEN_VARIABLE] = str(spec.token)
    os.environ[PROGRESS_FILE_VARIABLE] = progress_path
    if spec.cwd is not None:
        try:
            os.chdir(spec.cwd)
        except OSError as error:
            _exit_with_error(spec.cwd, error, _NOT_RUNNABLE_STATUS)


def _exit_with_error(subject: str, error: OSError, status: int) -> NoReturn:
    os.write(2, f"{subject}: {error.strerror}\n".encode("utf-8", "surrogateescape"))
    os._exit(status)


def exec_raw_command(argv: tuple[str, ...]) -> NoReturn:
    """Replace this process by a program, searched in PATH. The program cannot gain privileges."""
    forbid_new_privileges()
    try:
        os.execvp(argv[0], argv)  # nosec B606  # no shell is the point
    except FileNotFoundError as error:
        _exit_with_error(argv[0], error, _NOT_FOUND_STATUS)
    except OSError as error:
        _exit_with_error(argv[0], error, _NOT_RUNNABLE_STATUS)


def run_management_command(argv: tuple[str, ...], *, keep_logging: bool = False) -> int:
    """Like `manage.py`; returns the exit status. `keep_logging`: if Django is set up, do not apply LOGGING again."""
    sys.argv = ["manage.py", *argv]
    try:
        run_project_setup()
        # Imported here: in a cold start Django is loaded by this line. The fork server closed its connections before it
        # forked.
        from django.apps import apps
        from django.core.management import ManagementUtility

        if keep_logging and apps.ready:
            skip_next_logging_setup()

        class Utility(ManagementUtility):
            def fetch_command(self, subcommand: str) -> BaseCommand:
                command = super().fetch_command(subcommand)
                if has_passed_system_checks and command.requires_system_checks:
                    _skip_system_checks(command)
                return command

        Utility(sys.argv).execute()
    except SystemExit as stop:
        return exit_status_of_code(stop.code)
    except BaseException as error:  # any failure of the command
        return report_uncaught_exception(error)
    return 0


def skip_next_logging_setup() -> None:
    """Let Django's next set-up leave the logging as it is. Otherwise it would apply LOGGING a second time.

    That would also undo what the project's start-up has changed since the first time.
    """
    from django.conf import settings
    from django.utils import log

    if settings.LOGGING_CONFIG != "logging.config.dictConfig":
        return  # another function, whose effects are unknown
    configure = log.configure_logging

    def skip(*_: object) -> None:
        log.configure_logging = configure

    log.configure_logging = skip  # type: ignore[assignment]


def _skip_system_checks(command: BaseCommand) -> None:
    """Make --skip-checks the default. Commands still accept the option itself."""
    make = command.create_parser

    def create_parser(*words: Any, **options: Any) -> CommandParser:
        parser = make(*words, **options)
        parser.set_defaults(skip_checks=True)
        return parser

    command.create_parser = create_parser  # type: ignore[method-assign]
