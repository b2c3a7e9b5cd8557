"""Modules that import Celery are not collected if Celery is not installed."""

from __future__ import annotations

from tests.support import installed

collect_ignore = [] if installed.CELERY else ["test_import_beat_schedule.py", "test_import_celery_beat.py"]
