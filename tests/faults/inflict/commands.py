"""Faults of the commands themselves: what a job may do to the machine it runs on."""

from __future__ import annotations

from tests.faults.stage import Fault

SCENARIOS: dict[str, tuple[Fault, ...]] = {}
