"""The run that this process is part of, as its environment describes it."""

from __future__ import annotations

import os

from chroniker.process.run_variables import CurrentRun


def current_run() -> CurrentRun | None:
    """See ``chroniker.current_run``."""
    return CurrentRun.from_environment(os.environ)
