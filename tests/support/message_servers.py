"""Real servers that receive the messages about runs: mails and POST requests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import django
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.test import override_settings

HOST = "127.0.0.1"
SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"


class MailServer:
    """Stores received mails in ``mails``. While ``refusing``, it answers each mail with a temporary error."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refusing = False
        self.attempts = 0
        self.port = 0

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.attempts += 1
        if self.refusing:
            return "451 4.7.1 Come back later"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content.replace(b"\r\n", b"\n"), _class=EmailMessage, policy=policy.default)
        self.mails.append(mail)
        return "250 OK"

    def settings(self) -> dict[str, Any]:
        """The settings that make Django use this server."""
        if django.VERSION >= (6, 1):
            return {"MAILERS": {"default": {"BACKEND": SMTP_BACKEND, "OPTIONS": {"host": HOST, "port": self.port}}}}
        return {"EMAIL_BACKEND": SMTP_BACKEND, "EMAIL_HOST": HOST, "EMAIL_PORT": self.port}


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """A server that Django sends its mails to."""
    server, loop = MailServer(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="mail server")
    thread.start()

    async def close() -> None:
        listening.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    try:
        start = loop.create_server(partial(SMTP, server, loop=loop), HOST, 0)
        listening = asyncio.run_coroutine_threadsafe(start, loop).result(30)
        server.port = listening.sockets[0].getsockname()[1]
        with override_settings(**server.settings()):
            yield server
        asyncio.run_coroutine_threadsafe(close(), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


@dataclass
class Post:
    path: str
    headers: dict[str, str]
    body: bytes


class WebServer(ThreadingHTTPServer):
    """Stores POST requests in ``posts``. Answers with status ``answer``, and with ``location`` if it is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((HOST, 0), _Answering)
        self.posts: list[Post] = []
        self.gets: list[str] = []
        self.answer = 204
        self.location = ""
        self.retry_after = ""

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_port}"


class _Answering(BaseHTTPRequestHandler):
    server: WebServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.posts.append(Post(self.path, headers, body))
        self.send_response(self.server.answer)
        if self.server.location:
            self.send_header("Location", self.server.location)
        if self.server.retry_after:
            self.send_header("Retry-After", self.server.retry_after)
        self.end_headers()

    def do_GET(self) -> None:
        self.server.gets.append(self.path)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Write no log to stderr."""


@contextmanager
def web_server() -> Iterator[WebServer]:
    with WebServer() as server:
        thread = threading.Thread(target=server.serve_forever, name="web server")
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(30)
