"""The output of a run as a file."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connections
from django.test import AsyncClient, Client
from django.urls import reverse

from chroniker.models import Run
from tests.integration.admin.shown_runs import a_running_run, write


def download(client: Client, run: Run, query: str = "") -> str:
    response: Any = client.get(reverse("admin:chroniker_run_log", args=[run.pk]) + query)
    assert response.streaming
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Disposition"].startswith("attachment; filename=")
    return b"".join(response.streaming_content).decode()


def test_the_download_marks_the_streams(admin: Client) -> None:
    run = a_running_run(name="<b>näme</b>")
    write(run, "stdout", 0, "héllo 你好\n")
    write(run, "stdout", 1, "no newline")
    write(run, "stderr", 0, "<oops>\n")
    write(run, "stdout", 2, "end\n")
    lines = download(admin, run).splitlines()
    marked = [line.split(",")[0] for line in lines]
    assert marked == ["--- stdout", "héllo 你好", "no newline", "--- stderr", "<oops>", "--- stdout", "end"]
    assert download(admin, run, "?stream=stdout") == "héllo 你好\nno newlineend\n"
    assert download(admin, run, "?stream=stderr") == "<oops>\n"
    assert download(admin, a_running_run()) == ""


def test_the_download_with_times_has_one_line_for_each_line(admin: Client) -> None:
    run = a_running_run()
    write(run, "stdout", 0, "\x1b[31mone\x1b[0m\ntwo\n")
    write(run, "stderr", 0, "oops\n")
    lines = download(admin, run, "?times=1").splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["stdout one", "stdout two", "stderr oops"]
    assert all(dt.datetime.fromisoformat(line.split(" ")[0]).tzinfo for line in lines)


@pytest.mark.django_db(transaction=True)
def test_under_asgi_the_download_is_streamed(admin: Client) -> None:
    """In a thread of its own: after a test with a browser, this one has the event loop of Playwright."""
    run = a_running_run()
    write(run, "stdout", 0, "one\n")

    async def read() -> bytes:
        client = AsyncClient()
        client.cookies = admin.cookies
        response: Any = await client.get(reverse("admin:chroniker_run_log", args=[run.pk]), {"stream": "stdout"})
        assert response.is_async
        return b"".join([part async for part in response.streaming_content])

    def read_here() -> bytes:
        try:
            return async_to_sync(read)()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(read_here).result() == b"one\n"
