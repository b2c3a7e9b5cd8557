"""The thread that sends, one in a process at most: neither a tick nor a run waits for a mail server."""

from __future__ import annotations

import logging
import threading

from django.db import Error, connections, transaction

from chroniker.conf import settings
from chroniker.outbox.delivery import is_due, send_due

logger = logging.getLogger(__name__)

_thread: threading.Thread | None = None
_lock = threading.Lock()


def send_soon() -> None:
    """If a message is due, have it sent by a thread of this process. Costs one look at an index.

    Within a transaction of the caller's only after it. What fails, or is not done when the process ends, is left to
    the next one who calls this.
    """
    if not is_sending() and is_due():
        transaction.on_commit(_begin, using=settings.database)


def is_sending() -> bool:
    """Whether this process's sender is at work. A message it is torn from is sent again after its lease."""
    return _thread is not None and _thread.is_alive()


def _begin() -> None:
    global _thread
    with _lock:
        if not is_sending():
            _thread = threading.Thread(target=_send, name="chroniker-outbox", daemon=True)
            _thread.start()


def _send() -> None:
    try:
        send_due()
    except Error as error:
        logger.warning("Messages about runs were not sent: the database cannot be used. %s", str(error).strip())
    except Exception:
        logger.exception("Messages about runs were not sent.")
    finally:
        connections.close_all()
