"""Which packages are installed. Found, not imported: Django must not be set up before the database runs."""

from __future__ import annotations

from importlib.util import find_spec

CELERY = find_spec("celery") is not None
