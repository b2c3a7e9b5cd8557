"""Sends one HTTP request to an address that was checked after the name was resolved.

The connection goes to that address: the name is not resolved again, so a resolver that changes its answer gains
nothing. No redirects, no proxies, and no part of the answer but its status.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic
from urllib.parse import SplitResult, urlsplit

from django.utils.translation import gettext as _

from chroniker.conf import settings
from chroniker.exceptions import ChronikerError
from chroniker.models.web_addresses import may_be_contacted

#: Seconds to wait for each step, and for the whole request after the name was resolved.
STEP_TIMEOUT, REQUEST_TIMEOUT = 10.0, 20.0
#: Addresses of one host that are tried.
MAX_ADDRESSES = 3
#: Longest wait that a server may request, in seconds.
MAX_RETRY_AFTER_SECONDS = 6 * 3600
#: Answers about this one message. Any other error is about the channel.
_MESSAGE_ERROR_STATUSES = frozenset({400, 413, 422})


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class NotDelivered(ChronikerError):
    "The server could not be reached, or channels are not allowed to send to its address (CHRONIKER_CHANNEL_HOSTS)."

    def __init__(self, message: str = "", *, status: int | None = None, wait: int = 0) -> None:
        super().__init__(message)
        self.status, self.wait = status, wait

    @property
    def is_caused_by_message(self) -> bool:
        return self.status in _MESSAGE_ERROR_STATUSES


def post(request: OutgoingRequest) -> None:
    """Send it. An answer of 2xx is success. Raises ``NotDelivered``, with the status of the answer and nothing else.

    All errors before an answer have the same text: it must not show which hosts and ports exist in a network.
    """
    parts = urlsplit(request.url)
    try:
        status, wait = _send_and_read_status(request, parts)
    except (OSError, http.client.HTTPException, ValueError):  # of the resolver, the network, TLS, or the server
        raise NotDelivered(
            _(
                "The server could not be reached, or channels are not allowed to send to its address "
                "(CHRONIKER_CHANNEL_HOSTS)."
            )
        ) from None
    if not 200 <= status < 300:
        raise NotDelivered(_("The server answered %(status)s.") % {"status": status}, status=status, wait=wait)


def _send_and_read_status(request: OutgoingRequest, parts: SplitResult) -> tuple[int, int]:
    headers = {"User-Agent": "django-chroniker-celery", **request.headers}
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with _open_connection(parts) as connection:
        connection.request("POST", path, request.body, headers)
        answer = connection.getresponse()
        wait = answer.getheader("Retry-After") or ""
        return answer.status, min(int(wait), MAX_RETRY_AFTER_SECONDS) if wait.isdecimal() else 0


@contextmanager
def _open_connection(parts: SplitResult) -> Iterator[http.client.HTTPConnection]:
    """A connection to an address of the host that may be contacted. It is closed when the time is over."""
    host, is_secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_secure else 80)
    connection = http.client.HTTPConnection(host, port, timeout=STEP_TIMEOUT)
    addresses = _allowed_addresses(host, port)
    until = monotonic() + REQUEST_TIMEOUT
    connection.sock = _connect(addresses, port, until)  # so that it does not connect by itself
    timer = threading.Timer(max(0.0, until - monotonic()), _shut_down, [connection])
    timer.daemon = True
    timer.start()
    try:
        if is_secure:
            secure = ssl.create_default_context().wrap_socket(
                connection.sock, server_hostname=host, do_handshake_on_connect=False
            )
            connection.sock = secure  # before the handshake, so that the timer can end that too
            secure.do_handshake()
            connection.default_port = http.client.HTTPS_PORT  # for the header Host
        yield connection
    finally:
        timer.cancel()
        timer.join()  # else its thread would live for a moment after the request, and the check W013 could name it
        connection.close()


def _allowed_addresses(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
    return [each for each in addresses if may_be_contacted(host, each, settings.channel_hosts)]


def _connect(addresses: Sequence[str], port: int, until: float) -> socket.socket:
    error: OSError = PermissionError("No address of the host may be contacted.")
    for address in addresses[:MAX_ADDRESSES]:
        if (left := until - monotonic()) <= 0:
            break
        try:
            return socket.create_connection((address, port), min(STEP_TIMEOUT, left))
        except OSError as refusal:
            error = refusal
    raise error


def _shut_down(connection: http.client.HTTPConnection) -> None:
    sock = connection.sock
    with suppress(OSError):
        if sock is not None:
            sock.shutdown(socket.SHUT_RDWR)
