"""The exception that a task raises when its run does not succeed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chroniker.exceptions import ChronikerError


class RunFailed(ChronikerError):
    """The run did not succeed."""

    # Positional arguments, so that the exception can be pickled and converted to JSON by the result backend.
    def __init__(self, message: str = "", outcome: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.outcome = dict(outcome or {})
        self.args = (str(self), self.outcome)

    def __str__(self) -> str:
        return str(self.args[0])
