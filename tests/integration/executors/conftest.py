from __future__ import annotations

from tests.support import installed

collect_ignore = [] if installed.CELERY else ["test_celery_executor.py"]
