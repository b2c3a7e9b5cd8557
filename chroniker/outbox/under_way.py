"""Messages under way: each in a thread of its own, at most one for each server. None waits for another server."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

from django.db import connections

from chroniker.clock import simulated_time
from chroniker.models import Outbox

#: Servers that are contacted at the same time; and of these, servers that failed before.
MAX_SERVERS, MAX_FAILING_SERVERS = 8, 4

SendResult = tuple[Outbox, BaseException | None]


class MessagesBeingSent:
    """The messages that are being sent. The threads do not use the caller's database connection. They report their
    results to the caller."""

    def __init__(self) -> None:
        self._messages: dict[str, Outbox] = {}
        self._answers: queue.SimpleQueue[tuple[str, BaseException | None]] = queue.SimpleQueue()

    def __len__(self) -> int:
        return len(self._messages)

    def __contains__(self, server: str) -> bool:
        return server in self._messages

    def __iter__(self) -> Iterator[str]:
        return iter(self._messages)

    def start(self, server: str, message: Outbox, send: Callable[[], None]) -> None:
        """Call ``send`` in a new thread; in simulated time in this one, since a test expects the message at once."""
        self._messages[server] = message
        if simulated_time.simulated_now() is not None:
            self._send(server, send)
        else:
            name = f"chroniker-outbox-{server}"
            threading.Thread(target=self._send, args=(server, send), name=name, daemon=True).start()

    def wait_for_sent_message(self, seconds: float) -> SendResult | None:
        """The next message that has ended, and its error. ``None`` if there is none within this time."""
        try:
            server, error = self._answers.get(timeout=seconds)
        except queue.Empty:
            return None
        return self._messages.pop(server), error

    def _send(self, server: str, send: Callable[[], None]) -> None:
        error: BaseException | None = None
        try:
            send()
        except Exception as raised:  # from a server or a mail backend
            error = raised
        except BaseException as raised:  # such as SystemExit: the message was not sent, and the thread ends
            error = raised
            raise
        finally:
            if simulated_time.simulated_now() is None:
                connections.close_all()  # those that a mail backend opened in this thread
            self._answers.put((server, error))
