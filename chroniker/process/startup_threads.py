"""Threads that a project's start-up left running: a process with threads cannot be forked safely."""

from __future__ import annotations

import threading

#: Packages of tools that run the process: their threads do not belong to the project.
_NON_PROJECT_PACKAGES = {"asyncio", "chroniker", "concurrent", "django", "execnet", "pytest", "xdist"}


def list_project_threads() -> list[str]:
    """The threads that the project started, each with its package: ``x (package sentry_sdk)``."""
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    return [
        f"{each.name} (package {_package_of_thread(each)})"
        for each in others
        if _package_of_thread(each) not in _NON_PROJECT_PACKAGES
    ]


def _package_of_thread(thread: threading.Thread) -> str:
    """The package of the function that the thread runs, else of the thread's class."""
    target = getattr(thread, "_target", None)
    if type(thread) is threading.Thread and target is None:
        return "unknown"  # it has just ended, or has no module
    module = getattr(target, "__module__", None) or type(thread).__module__
    return str(module).partition(".")[0]
