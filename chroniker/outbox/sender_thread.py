"""The thread that sends messages, at most one per process: neither a tick nor a run waits for a mail server."""

from __future__ import annotations

import logging
import threading

from django.db import Error, connections, transaction

from chroniker.clock import simulated_time
from chroniker.conf import settings
from chroniker.outbox.delivery import is_message_due, send_due_messages

logger = logging.getLogger(__name__)

#: Seconds of one thread. The next tick with a due message starts another.
MAX_SENDING_SECONDS = 600.0

_thread: threading.Thread | None = None
_lock = threading.Lock()


def start_sender_if_message_due() -> None:
    """If a message is due, start the thread that sends it. Costs one read of an index.

    Inside a transaction of the caller, the thread starts after the commit. Messages that are not sent, because of an
    error or the end of the process, stay for the next call. In simulated time the simulation sends them.
    """
    if simulated_time.simulated_now() is None and not is_sending() and is_message_due():
        transaction.on_commit(_start_thread, using=settings.database)


def is_sending() -> bool:
    """Whether this process's sender thread runs. If it cannot finish a message, the message is sent again after
    RESERVATION_TIME."""
    return _thread is not None and _thread.is_alive()


def _start_thread() -> None:
    global _thread
    with _lock:
        if not is_sending():
            _thread = threading.Thread(target=_send_and_log_errors, name="chroniker-outbox", daemon=True)
            _thread.start()


def _send_and_log_errors() -> None:
    try:
        send_due_messages(MAX_SENDING_SECONDS)
    except Error as error:
        logger.warning("Messages about runs were not sent: the database cannot be used. %s", str(error).strip())
    except Exception:  # nobody waits for this thread; the messages stay due
        logger.exception("Messages about runs were not sent.")
    finally:
        connections.close_all()
