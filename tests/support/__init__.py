"""What tests share: rows, processes, servers, fixtures. CONTRIBUTING lists the fixtures."""

from __future__ import annotations

from pathlib import Path

#: The directory of the repository.
ROOT = Path(__file__).parents[2]
