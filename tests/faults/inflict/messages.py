"""Faults of messages: what comes twice, late, in another order, or was never sent."""

from __future__ import annotations

import random
from contextlib import suppress

from tests.faults.stage import Fault, Stage


def replay(stage: Stage, dice: random.Random) -> str:
    """Every run's message again, in another order, and some forged ones."""
    from uuid import uuid4

    from chroniker.models import Run
    from chroniker_celery.publish import Letter, publish
    from tests.celeryapp import app

    runs = list(Run.objects.order_by("-claimed_at").values_list("pk", "token")[:60])
    letters = [Letter(pk, token) for pk, token in runs] + [Letter(uuid4(), 1) for _each in range(10)]
    letters += [Letter(pk, token + 1) for pk, token in runs[:10]]
    dice.shuffle(letters)
    with suppress(Exception):  # the broker may be away
        publish(app, letters, timeout=2)
    return f"{len(letters)} messages replayed or forged"


SCENARIOS: dict[str, tuple[Fault, ...]] = {"broker": (replay,)}
