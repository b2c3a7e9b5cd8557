"""Compiled queries are kept for all histories of the Python process: Django needs most of the time to build them."""

from __future__ import annotations

import functools
from typing import Any

from chroniker.models import compiled, statements
from chroniker.scheduler import pending_work

#: In place of the time after which the product compiles again; what a text depends on is the key without it.
FOR_EVER = 1e12
MOST = 1000


def install() -> None:
    for module, name in ((pending_work, "_compile_queries_cached"), (compiled, "_compile_cached_query")):
        remembered: Any = getattr(module, name)
        vars(module)[name] = functools.lru_cache(maxsize=MOST)(remembered.__wrapped__)
    for module in (pending_work, compiled, statements):
        vars(module)["COMPILED_QUERY_LIFETIME_SECONDS"] = FOR_EVER
