"""The refresh of a page: its fragments as JSON, with an entity tag."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, JsonResponse, QueryDict
from django.template.loader import render_to_string

#: With this parameter, a page answers with its fragments. The value is the tag of the fragments that the page has.
REFRESH_PARAMETER = "_live"
#: The fragments of a list that Django renders.
LIST_FRAGMENT_TEMPLATES = {"ops-list": "chroniker/console/list_rows.html"}
#: Times that a script of the page updates. If only these differ, the fragments count as unchanged.
_RELATIVE_TIME_PATTERN = re.compile(r"(<time [^>]*data-(?:rel|elapsed)[^>]*>)[^<]*")


def move_refresh_parameter_to_attribute(request: HttpRequest) -> None:
    """Move the parameter from the query to an attribute of the request: lists refuse unknown parameters."""
    if REFRESH_PARAMETER in request.GET:
        query = request.GET.copy()
        request.console_live = query.pop(REFRESH_PARAMETER)[-1]  # type: ignore[attr-defined]
        request.GET = query  # type: ignore[assignment]


def read_etag_of_refresh_request(request: HttpRequest) -> str | None:
    """The tag in a request for fragments; ``None`` in a request for the page."""
    return getattr(request, "console_live", None)


def fragments_url(path: str, query: QueryDict | None = None) -> str:
    """The address of a page's fragments, with the page's filters. The script appends the tag. Empty without a path."""
    pairs = [(key, value) for key, values in query.lists() for value in values] if query else []
    return f"{path}?{urlencode([*pairs, (REFRESH_PARAMETER, '')])}" if path else ""


def fragments_json(
    request: HttpRequest,
    context: Mapping[str, Any],
    fragments: Mapping[str, str],
    known_etag: str,
    extra_values: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """``{"html": {id: content}, "etag": …}``; 304 if the page has these fragments already.

    ``extra_values``: further values for the JSON. If there are any, the answer is never 304.
    """
    html = {key: render_to_string(template, dict(context), request) for key, template in fragments.items()}
    joined = "\0".join(_RELATIVE_TIME_PATTERN.sub(r"\1", text) for text in html.values())
    tag = hashlib.blake2b(joined.encode(), digest_size=12).hexdigest()
    if tag == known_etag and not extra_values:
        return HttpResponseNotModified()
    shown = html if tag != known_etag else {}
    return JsonResponse({**(extra_values or {}), "html": shown, "etag": tag, "seconds": context.get("live_seconds")})


def list_or_fragments_response(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """For a list that Django renders. For a refresh: its fragments; else the list, with the address of its fragments.

    Other responses are returned unchanged.
    """
    context = getattr(response, "context_data", None)
    if not context or "cl" not in context:
        return response
    etag = read_etag_of_refresh_request(request)
    if etag is not None:
        return fragments_json(request, context, LIST_FRAGMENT_TEMPLATES, etag)
    context.setdefault("live_url", fragments_url(request.path, request.GET))
    return response
