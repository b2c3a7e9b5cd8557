"""Faults of messages: what comes twice, late, in another order, or was never sent."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from typing import Any
from uuid import uuid4

from tests.faults.actors import LAYOUT
from tests.faults.environment import Environment, Fault
from tests.faults.injection.servers import flush_broker

BURST = 10_000
SOME = 40  #: a worker needs time to refuse a message, and claimed runs wait behind it


def replay(environment: Environment, rng: random.Random) -> str:
    """The latest runs' messages again, in another order, and some forged ones."""
    return _send(rng, SOME)


def burst(environment: Environment, rng: random.Random) -> str:
    """Ten thousand at once; after that, some dozens at a time."""
    if not environment.has_burst:
        environment.has_burst = True
        return _send(rng, BURST)
    return _send(rng, SOME)


def reorder(environment: Environment, rng: random.Random) -> str:
    """What waits in the queues comes twice, and in another order."""
    from kombu import Queue

    from tests.celeryapp import app

    count = 0
    with suppress(Exception), app.connection_for_write() as connection:  # the broker may be away
        producer: Any = app.amqp.Producer(connection, auto_declare=False)
        for name in (app.conf.task_default_queue, *{f"chroniker.on.{part.host}" for part in LAYOUT}):
            queue = Queue(name, channel=connection.default_channel)
            waiting: list[Any] = []
            while message := queue.get(no_ack=True):
                waiting += [message] * (2 if len(waiting) < SOME else 1)
            rng.shuffle(waiting)
            for each in waiting:
                _forward(producer, name, each)
            count += len(waiting)
    return "the queues were replayed and reordered" if count else "the queues were empty"


def lose(environment: Environment, rng: random.Random) -> str:
    """What is sent for some seconds finds no worker at the broker, and is gone when they are back.

    Where workers are quick, a broker that forgets has hardly any messages to lose.
    """
    proxies = [actor.proxies["broker"] for actor in environment.actors if actor.role == "worker"]
    with environment.exclusive("broker"):
        for proxy in proxies:
            proxy.set("reset")
        try:
            time.sleep(rng.uniform(1.0, 3.0))
            said = flush_broker(environment, rng)
        finally:
            for proxy in proxies:
                proxy.set("pass")
    return f"{said}, and no worker had seen them"


def _forward(producer: Any, queue: str, message: Any) -> None:
    known = {name: message.properties[name] for name in ("correlation_id", "reply_to") if name in message.properties}
    producer.publish(
        message.body,
        exchange="",
        routing_key=queue,
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        headers=message.headers,
        retry=False,
        **known,
    )


def _send(rng: random.Random, count: int) -> str:
    """Half of them real and late, the others of runs that never were, or with a token that never was."""
    from chroniker_celery.publish import publish
    from tests.celeryapp import app

    messages = _messages(rng, count)
    with suppress(Exception):  # the broker may be away
        publish(app, messages, timeout=20)
        return f"{len(messages)} messages replayed or forged"
    return "messages that the broker did not take"


def _messages(rng: random.Random, count: int) -> list[Any]:
    from chroniker.models import Run
    from chroniker_celery.publish import RunMessage

    runs = list(Run.objects.order_by("-claimed_at").values_list("pk", "token")[:count])
    messages = [RunMessage(pk, token) for pk, token in runs[: count // 2]]
    messages += [RunMessage(pk, token + rng.choice((-1, 1))) for pk, token in runs[: count // 6]]
    messages += [RunMessage(uuid4(), 1) for _each in range(count // 6)]
    if runs:
        messages += [RunMessage(*rng.choice(runs)) for _each in range(count - len(messages))]
    rng.shuffle(messages)
    return messages


SCENARIOS: dict[str, tuple[Fault, ...]] = {
    "broker": (replay, reorder),
    "messages": (burst, replay, reorder),
    "replay": (replay,),
    "lost-messages": (lose,),
}
ALONE = ("messages", "replay", "lost-messages")
#: Seconds. Ten thousand refusals take time, and claimed runs wait behind them. A message that is lost and not
#: sent again must be noticed within the trial.
START_DEADLINES = {"messages": 900.0, "lost-messages": 45.0}
