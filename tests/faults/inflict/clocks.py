"""Faults of clocks: of one host, of the database."""

from __future__ import annotations

from tests.faults.stage import Fault

SCENARIOS: dict[str, tuple[Fault, ...]] = {}
