"""Threads that a project's start-up left running: a process with threads cannot be forked safely."""

from __future__ import annotations

import threading

#: Of tools that run a process, not of the project that runs in it.
_TOOLS = {"chroniker", "django", "execnet", "pytest", "xdist", "concurrent"}


def startup_threads() -> list[str]:
    """The threads beside the main one, each with the package that started it: ``x (package sentry_sdk)``."""
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    return [f"{each.name} (package {_package(each)})" for each in others if _package(each) not in _TOOLS]


def _package(thread: threading.Thread) -> str:
    """Of the function that the thread runs, else of its class."""
    target = getattr(thread, "_target", None)
    if type(thread) is threading.Thread and target is None:
        return "unknown"  # it has just ended, or does not say
    module = getattr(target, "__module__", None) or type(thread).__module__
    return str(module).partition(".")[0]
