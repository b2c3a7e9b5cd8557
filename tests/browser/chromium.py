"""Finds the browser, without importing Django."""

from __future__ import annotations

import importlib.util
import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


def path() -> str | None:
    """The browser: ``CHRONIKER_TEST_CHROMIUM``, or Chromium on the path."""
    return os.environ.get("CHRONIKER_TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def available() -> bool:
    return importlib.util.find_spec("playwright") is not None and path() is not None
