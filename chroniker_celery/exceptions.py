from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chroniker.exceptions import ChronikerError


class RunFailed(ChronikerError):
    """The run did not succeed."""

    # Both are positional: so the exception survives pickling and the result backend's JSON.
    def __init__(self, message: str = "", outcome: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.outcome = dict(outcome or {})
        self.args = (str(self), self.outcome)

    def __str__(self) -> str:
        return str(self.args[0])
