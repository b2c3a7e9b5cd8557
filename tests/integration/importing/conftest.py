"""Modules that import Celery are not collected if Celery is not installed."""

from __future__ import annotations

from pathlib import Path

from tests.support import installed

collect_ignore = [] if installed.CELERY else [path.name for path in Path(__file__).parent.glob("test_import_*beat*.py")]
