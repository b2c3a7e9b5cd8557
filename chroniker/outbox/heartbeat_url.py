"""Requests ``CHRONIKER_HEARTBEAT_URL`` from a thread: a service outside notices when the requests stop."""

from __future__ import annotations

import logging
import threading
from urllib.error import HTTPError
from urllib.parse import urlsplit

from chroniker.conf import settings
from chroniker.outbox.settings_webhook import make_http_opener

logger = logging.getLogger(__name__)

#: Seconds to wait for the answer.
ANSWER_TIMEOUT_SECONDS = 10.0

_thread: threading.Thread | None = None
_last_request_failed = False


def start_heartbeat_request() -> None:
    """Start the thread, unless the last request still waits for its answer. The tick does not wait for it."""
    global _thread
    url = settings.heartbeat_url
    if url and not is_requesting_heartbeat_url():
        _thread = threading.Thread(
            target=_request_heartbeat_url, args=[url], name="chroniker-heartbeat-url", daemon=True
        )
        _thread.start()


def is_requesting_heartbeat_url() -> bool:
    return _thread is not None and _thread.is_alive()


def _request_heartbeat_url(url: str) -> None:
    """GET. A failure is logged once, without the URL, which may be a secret."""
    global _last_request_failed
    try:
        with make_http_opener().open(url, timeout=ANSWER_TIMEOUT_SECONDS):
            pass
    except Exception as error:  # any error of the network or the server; the next request is a minute away
        if not _last_request_failed:
            said = f"HTTP {error.code}" if isinstance(error, HTTPError) else type(error).__name__
            host = urlsplit(url).hostname
            logger.warning("The request to CHRONIKER_HEARTBEAT_URL (host %s) failed: %s.", host, said)
        _last_request_failed = True
    else:
        _last_request_failed = False
