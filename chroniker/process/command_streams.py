"""The standard streams of a command in a fork, and the log handlers that write to them."""

from __future__ import annotations

import io
import logging
import sys
from typing import Any

#: Handlers without a file or connection of their own, by the full name of their class.
_LOG_HANDLERS_THAT_OPEN_NO_FILE = {"logging.NullHandler", "django.utils.log.AdminEmailHandler"}


def redirect_streams_to_run_output() -> bool:
    """Connect stdin, stdout and stderr to the real descriptors; the worker may have replaced them.

    Returns whether all log handlers are also connected. Then LOGGING does not have to be applied again: no handler has
    a file or a connection of its own, which a fork must not share.
    """
    old = (sys.stdout, sys.stderr)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
    sys.stdout, sys.stderr = _open_writer(1), _open_writer(2)
    vars(sys).update(__stdin__=sys.stdin, __stdout__=sys.stdout, __stderr__=sys.stderr)
    return all([_reconnect_handler(each, old) for each in _all_log_handlers()])


def _open_writer(descriptor: int) -> io.TextIOWrapper:
    buffer = io.BufferedWriter(io.FileIO(descriptor, "w", closefd=False))
    return io.TextIOWrapper(buffer, encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _all_log_handlers() -> list[logging.Handler]:
    """All handlers that exist. `logging` keeps weak references to them, to close them at exit."""
    return [found for each in logging._handlerList if (found := each()) is not None]  # type: ignore[attr-defined]


def _reconnect_handler(handler: logging.Handler, old: tuple[Any, Any]) -> bool:
    """Connect a handler of an old stream to the new one. False for a handler that may have a file of its own."""
    kind = type(handler)
    if not isinstance(handler, logging.StreamHandler) or handler.stream not in old:
        return f"{kind.__module__}.{kind.__qualname__}" in _LOG_HANDLERS_THAT_OPEN_NO_FILE
    handler.setStream(sys.stderr if handler.stream is old[1] else sys.stdout)
    return kind is logging.StreamHandler
