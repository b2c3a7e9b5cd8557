"""Celery tasks of the shop: one is a job, the other an entry of CELERY_BEAT_SCHEDULE."""

from __future__ import annotations

import random
import time
from typing import Any

from celery import shared_task
from django.core.management import call_command


class ShopBusy(Exception):
    """The other shop did not answer."""


@shared_task(bind=True)
def fetch_reviews(self: Any, shop: str, *, pages: int = 3) -> dict[str, int]:
    """Fetch the new reviews of a shop, page by page."""
    for page in range(pages):
        print(f"{shop}: page {page + 1}", flush=True)
        time.sleep(random.uniform(0.5, 2))
    if random.random() < 0.2:
        raise self.retry(exc=ShopBusy(f"{shop} did not answer"), countdown=60)
    return {"reviews": random.randrange(5, 60)}


@shared_task
def clear_sessions() -> None:
    """Delete the sessions that have expired."""
    call_command("clearsessions")
