"""The download of a run's output as a text file. It is sent page by page: only one page is in memory at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.utils.text import slugify

from chroniker.admin.runs.output_lines import missing_chunks_text
from chroniker.insights.output.ansi import visible_text
from chroniker.insights.output.pages import iterate_pages
from chroniker.insights.output.views import numbered_lines
from chroniker.models import Run, Stream
from chroniker.wording.formats import full_time

_STREAM_NAMES = {Stream.REMARK: "remark", Stream.STDOUT: "stdout", Stream.STDERR: "stderr"}


def output_download_response(request: HttpRequest, run: Run) -> StreamingHttpResponse:
    """The output as plain text in the order in which it was written, with a separator line where the stream changes.

    ``?stream=stdout`` (or stderr, remark): only that stream, exactly as stored. ``?times=1``: each line begins with its
    ISO time and its stream, and has no colours.
    """
    only = {word: stream for stream, word in _STREAM_NAMES.items()}.get(request.GET.get("stream", ""))
    with_times = "times" in request.GET
    text = (
        _iterate_lines_with_times(run, only)
        if with_times
        else _iterate_text_of_all_streams(run)
        if only is None
        else _iterate_text_of_stream(run, only)
    )
    name = f"{slugify(run.job.name) or 'job'}-{run.token}{f'-{_STREAM_NAMES[only]}' if only is not None else ''}.txt"
    return StreamingHttpResponse(
        _to_async_iterator(text) if isinstance(request, ASGIRequest) else text,
        content_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"},
    )


def _iterate_text_of_stream(run: Run, stream: Stream) -> Iterator[str]:
    for page in iterate_pages(run.pk):
        yield "".join(piece.text for piece in page.pieces if piece.stream == stream)


def _iterate_text_of_all_streams(run: Run) -> Iterator[str]:
    stream, at_line_start = None, True
    for page in iterate_pages(run.pk):
        parts = []
        for piece in page.pieces:
            if piece.stream != stream:
                stream = piece.stream
                line_end = "" if at_line_start else "\n"
                parts.append(f"{line_end}--- {_STREAM_NAMES[stream]}, {full_time(piece.written_at)} ---\n")
            if piece.lost_chunk_count > 0:
                parts.append(f"--- {missing_chunks_text(piece.lost_chunk_count)} ---\n")
            parts.append(piece.text)
            at_line_start = piece.text.endswith("\n")
        yield "".join(parts)


def _iterate_lines_with_times(run: Run, only_stream: Stream | None) -> Iterator[str]:
    for page in iterate_pages(run.pk):
        yield "".join(
            f"{timezone.localtime(line.written_at).isoformat(timespec='milliseconds')} {_STREAM_NAMES[line.stream]} "
            f"{visible_text(line.text)}\n"
            for line in numbered_lines(run.pk, page)
            if only_stream in (None, line.stream)
        )


async def _to_async_iterator(text: Iterator[str]) -> AsyncIterator[str]:
    """For ASGI. There, Django reads a synchronous iterator to its end before it sends the first byte."""
    while (part := await sync_to_async(_next_or_none)(text)) is not None:
        yield part


def _next_or_none(text: Iterator[str]) -> str | None:
    return next(text, None)
