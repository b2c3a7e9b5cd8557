"""The refresh of a page: its fragments as JSON, with an entity tag."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, JsonResponse, QueryDict
from django.template.loader import render_to_string

#: The parameter that makes an address answer its fragments; its value is the tag of the fragments that the page has.
PARAMETER = "_live"
#: The fragments of a list that Django has made.
LIST_FRAGMENTS = {"ops-list": "chroniker/console/list_rows.html"}
#: Texts that a script counts up by itself; alone they are no change.
_COUNTED = re.compile(r"(<time [^>]*data-(?:rel|elapsed)[^>]*>)[^<]*")


def take_parameter(request: HttpRequest) -> None:
    """Move the parameter from the query to the request: lists refuse parameters that they do not know."""
    if PARAMETER in request.GET:
        query = request.GET.copy()
        request.console_live = query.pop(PARAMETER)[-1]  # type: ignore[attr-defined]
        request.GET = query  # type: ignore[assignment]


def live_etag(request: HttpRequest) -> str | None:
    """The tag in a request for fragments; ``None`` in a request for the page."""
    return getattr(request, "console_live", None)


def live_address(path: str, query: QueryDict | None = None) -> str:
    """The address of a page's fragments, with its filters. The script adds the tag at the end. Empty without a path."""
    pairs = [(key, value) for key, values in query.lists() for value in values] if query else []
    return f"{path}?{urlencode([*pairs, (PARAMETER, '')])}" if path else ""


def fragments_json(
    request: HttpRequest,
    context: Mapping[str, Any],
    fragments: Mapping[str, str],
    etag: str,
    more: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """``{"html": {id: content}, "etag": …}``; 304 if the page has these fragments already. ``more``: further values of
    the answer, which the page does not have yet."""
    html = {key: render_to_string(template, dict(context), request) for key, template in fragments.items()}
    joined = "\0".join(_COUNTED.sub(r"\1", text) for text in html.values())
    tag = hashlib.blake2b(joined.encode(), digest_size=12).hexdigest()
    if tag == etag and not more:
        return HttpResponseNotModified()
    shown = html if tag != etag else {}
    return JsonResponse({**(more or {}), "html": shown, "etag": tag, "seconds": context.get("live_seconds")})


def live_list(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """A list that Django has made: its fragments, or the list with the address of them. Other answers stay."""
    context = getattr(response, "context_data", None)
    if not context or "cl" not in context:
        return response
    etag = live_etag(request)
    if etag is not None:
        return fragments_json(request, context, LIST_FRAGMENTS, etag)
    context.setdefault("live_url", live_address(request.path, request.GET))
    return response
