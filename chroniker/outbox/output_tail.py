"""Reads the end of a run's output, without reading all of it."""

from __future__ import annotations

from itertools import accumulate
from uuid import UUID

from django.db.models.functions import Length, Right

from chroniker.models import LogChunk, Stream

#: The most chunks read. A command that writes a little every second fills this many in a quarter of an hour.
MAX_CHUNKS = 1000


def read_tail(run_id: UUID, stream: Stream, limit: int) -> str:
    """The last ``limit`` characters of one stream. Reads the lengths of chunks first, then only the chunks it needs."""
    chunks = LogChunk.objects.filter(run=run_id, stream=stream)
    latest = list(chunks.order_by("-seq").values_list("seq", Length("text"))[:MAX_CHUNKS])
    sizes = accumulate(length for _seq, length in latest)
    enough = next((seq for (seq, _length), size in zip(latest, sizes, strict=True) if size >= limit), None)
    if not latest:
        return ""
    first = latest[-1][0] if enough is None else enough
    texts = chunks.filter(seq__gte=first).order_by("seq").values_list(Right("text", limit), flat=True)
    return "".join(texts)[-limit:]


def last_lines(text: str, limit: int) -> str:
    """The last ``limit`` lines. The first of them may be cut at its beginning."""
    return "\n".join(text.rstrip().splitlines()[-limit:])
