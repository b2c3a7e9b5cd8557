"""The end of a management command's process: the exit steps of Python, without the tear-down of the interpreter.

In this order: the hook for an uncaught exception; wait for threads; exit functions, including `weakref.finalize`;
`__del__` of Python objects; flush open files, close compressed ones. Then the process ends.

Left out: `finally` of suspended generators, `__del__` of objects of the fork server, and the tear-down in C extensions.
A full tear-down would free each page that the process shares with the fork server, one by one.
"""

from __future__ import annotations

import _io
import atexit
import gc
import os
import sys
import threading
import traceback
import weakref
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NoReturn

EXIT_STATUS_INTERRUPTED = 130  # the exit status that shells report for SIGINT

#: Files that the project's start-up opened in the fork server: they are not among this process's own objects.
_files_of_startup: list[weakref.ref[Any]] = []


def remember_open_files() -> None:
    """Flush the open files of the fork server, so that no fork writes their buffered text; and remember the files."""
    files = [each for each in gc.get_objects() if _is_file(each)]
    _flush_files(files)
    _files_of_startup[:] = [weakref.ref(each) for each in files]


def exit_status_of_code(code: object) -> int:
    """The exit status for `sys.exit(code)`. A text is written to stderr."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def report_uncaught_exception(error: BaseException) -> int:
    """Report the exception by `sys.excepthook`, as Python does: error trackers replace that hook."""
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except BaseException:
        traceback.print_exc()
        traceback.print_exception(error)
    return EXIT_STATUS_INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1


def end_process(status: int) -> NoReturn:
    """End this process. A failure here is printed, and does not change the command's exit status."""
    try:
        for step in (threading._shutdown, atexit._run_exitfuncs, _run_finalizers_and_close_files):  # type: ignore[attr-defined]
            try:
                step()
            except BaseException:
                traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):  # closed by the command, or its reader has ended
                stream.flush()
        os._exit(status)


def _run_finalizers_and_close_files() -> None:
    """Run finalizers, then flush files: a finalizer may write to one. Objects of the fork server are left out."""
    objects = gc.get_objects()
    files = [each for each in objects if _is_file(each)]
    for each in objects:
        if not _is_file(each) and _find_finalizer(each) is not None:
            _call_safely(_find_finalizer(each), each)
    files += [file for reference in _files_of_startup if (file := reference()) is not None]
    _flush_files(files)
    for each in files:
        if type(each).__module__ != "_io":  # a file class in Python, such as GzipFile: only `close` writes its end
            _call_safely(type(each).close, each)
    _flush_files(files)


def _flush_files(files: Iterable[Any]) -> None:
    """Flush text files first: they write into the buffers of binary files."""
    for kind in (_io.TextIOWrapper, _io._BufferedIOBase):
        for each in files:
            if issubclass(type(each), kind):
                _call_safely(type(each).flush, each)


def _is_file(value: object) -> bool:
    """Whether the value is a file. Only its type is checked: `isinstance` would evaluate lazy objects."""
    return issubclass(type(value), _io._IOBase)


def _find_finalizer(value: object) -> Any:
    """The `__del__` of its class, if that is written in Python; else None."""
    found = getattr(type(value), "__del__", None)
    return found if hasattr(found, "__code__") else None


def _call_safely(function: Any, argument: object) -> None:
    try:
        function(argument)
    except ValueError:
        pass  # a file that is closed, or detached
    except Exception:  # printed, and the next step runs, as at the end of Python itself
        traceback.print_exc()
